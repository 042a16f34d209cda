import type { CAC } from "cac";
import { GrpcDriver } from "../drivers/grpc/index.js";
import { HttpDriver } from "../drivers/http/index.js";
import { InvalidArgumentError } from "../errors.js";
import { init } from "../runtime/index.js";
import { type AccessOptions, accessParameters, addAccessOptions } from "./access-options.js";
import { serviceUrl } from "./addresses.js";
import { addModelOptions, type ModelOptions, refuseModelOptions } from "./model-options.js";
import { integerOf, numberOf } from "./numbers.js";
import {
  addRepositoryOptions,
  type RepositoryOptions,
  refuseRepositoryOptions,
  serveModels,
  tellOfGrpc,
} from "./serve-models.js";
import { addSocketOptions, type SocketOptions, socketParameters } from "./socket-options.js";
import { bold } from "./style.js";
import { inferenceOf } from "./target.js";

interface ServeOptions extends ModelOptions, RepositoryOptions, AccessOptions, SocketOptions {
  port: string;
  grpcPort?: string;
  grace: string;
}

const LAST_PORT = 65_535;

export function registerServe(cli: CAC): void {
  const command = cli
    .command("serve [target]", "Serve a model file, a module, or a directory of models over HTTP and WebSocket")
    .option("--port <n>", "Port to listen on; 0 takes any free one", { default: "8000" })
    .option("--grpc-port <n>", "Port to serve over gRPC too; 0 takes any free one (default: not at all)")
    .option("--grace <s>", "Seconds to finish accepted requests after SIGTERM or Ctrl-C", { default: "10" });
  addSocketOptions(command);
  addAccessOptions(command);
  addRepositoryOptions(command);
  addModelOptions(command)
    .example("  headrace serve gru.onnx                        a bare recurrent model; its state pairs are recognised")
    .example("  headrace serve silero.onnx --constant sr=16000 --context input=64")
    .example("  headrace serve ./pipeline.mjs --port 9000      a module that default-exports an Inference")
    .example(
      "  headrace serve gru.onnx --threads 2            two threads for the sockets, on a machine with cores for them",
    )
    .example("  headrace serve --models models                 models/NAME/VERSION/model.onnx, as Triton has them")
    .example("  headrace serve gru.onnx --host 0.0.0.0 --tokens tokens.yaml --tls-key server.key --tls-cert server.pem")
    .example("  headrace serve --models models --model-control explicit --load-model gru")
    .action(serve);
}

async function serve(target: string | undefined, options: ServeOptions): Promise<void> {
  const port = integerOf("--port", options.port, 0, LAST_PORT);
  const grpcPort =
    options.grpcPort === undefined ? undefined : integerOf("--grpc-port", options.grpcPort, 0, LAST_PORT);
  const sockets = socketParameters(options);
  const stopping = { timeoutMs: numberOf("--grace", options.grace, 0) * 1000 };
  if (options.models !== undefined) {
    if (target !== undefined) {
      throw new InvalidArgumentError("excludes a model or a module; put the model into the directory", {
        path: "--models",
      });
    }
    refuseModelOptions(options, "goes with a model file; a directory says it in each model's config.pbtxt");
    const { models, modelControl, loadModel, strictReadiness } = options;
    const access = accessParameters(options);
    return serveModels({ models, modelControl, loadModel, strictReadiness, port, grpcPort, sockets, access, stopping });
  }
  refuseRepositoryOptions(options);
  if (target === undefined) {
    throw new InvalidArgumentError("expected a model file or a module, or --models DIR; see headrace serve --help");
  }
  const runtime = await init("local");
  try {
    const process = await runtime.startInference(await inferenceOf(target, options));
    const access = accessParameters(options);
    const driver = await process.addDriver("http", HttpDriver, { port, ...sockets, ...access });
    const url = serviceUrl(driver.getService("http"));
    globalThis.process.stdout.write(`headrace: ${bold(process.name)} is listening on ${bold(url)}\n`);
    if (grpcPort !== undefined) {
      const grpc = await process.addDriver("grpc", GrpcDriver, { port: grpcPort, ...access });
      tellOfGrpc(grpc.getService("grpc").taggedAddresses.lan);
    }
    await runtime.stopOnSignal(stopping);
  } finally {
    await runtime.stop(stopping);
  }
}
