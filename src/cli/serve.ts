import type { CAC } from "cac";
import { GrpcDriver } from "../drivers/grpc/index.js";
import { HttpDriver } from "../drivers/http/index.js";
import { InvalidArgumentError } from "../errors.js";
import { init } from "../runtime/index.js";
import { addressText } from "./addresses.js";
import { addModelOptions, type ModelOptions } from "./model-options.js";
import { bold } from "./style.js";
import { inferenceOf } from "./target.js";

interface ServeOptions extends ModelOptions {
  port: number;
  host: string;
  grpcPort?: number;
  grace: number;
}

export function registerServe(cli: CAC): void {
  const command = cli
    .command("serve <target>", "Serve a model file or a module over HTTP and WebSocket")
    .option("--port <n>", "Port to listen on; 0 takes any free one", { default: 8000 })
    .option("--host <address>", "Address to listen on; 0.0.0.0 for every interface", { default: "127.0.0.1" })
    .option("--grpc-port <n>", "Port to serve over gRPC too; 0 takes any free one (default: not at all)")
    .option("--grace <s>", "Seconds to finish accepted requests after SIGTERM or Ctrl-C", { default: 10 });
  addModelOptions(command)
    .example("  headrace serve gru.onnx                        a bare recurrent model; its state pairs are recognised")
    .example("  headrace serve silero.onnx --constant sr=16000 --context input=64")
    .example("  headrace serve ./pipeline.mjs --port 9000      a module that default-exports an Inference")
    .action(serve);
}

async function serve(target: string, options: ServeOptions): Promise<void> {
  const { port, grace, grpcPort } = options;
  for (const [name, value] of Object.entries({ port, grace, "grpc-port": grpcPort ?? 0 })) {
    if (Number.isFinite(value) && value >= 0) continue;
    throw new InvalidArgumentError(`expected a number, got '${String(value)}'`, { path: `--${name}` });
  }
  const runtime = await init("local");
  const stopping = { timeoutMs: options.grace * 1000 };
  try {
    const process = await runtime.startInference(await inferenceOf(target, options));
    const driver = await process.addDriver("http", HttpDriver, { port: options.port, host: String(options.host) });
    const address = addressText(driver.getService("http").taggedAddresses.lan);
    globalThis.process.stdout.write(`headrace: ${bold(process.name)} is listening on ${bold(`http://${address}`)}\n`);
    if (grpcPort !== undefined) {
      const grpc = await process.addDriver("grpc", GrpcDriver, { port: grpcPort, host: String(options.host) });
      const where = addressText(grpc.getService("grpc").taggedAddresses.lan);
      globalThis.process.stdout.write(`headrace: gRPC is listening on ${bold(where)}\n`);
    }
    await runtime.stopOnSignal(stopping);
  } finally {
    await runtime.stop(stopping);
  }
}
