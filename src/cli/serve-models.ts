/** `headrace serve --models DIR`: the models of a directory behind one port. */
import type { Command } from "cac";
import { GrpcDriver, openGrpcPort } from "../drivers/grpc/index.js";
import { HttpDriver, openHttpPort } from "../drivers/http/index.js";
import { InvalidArgumentError, toHeadraceError } from "../errors.js";
import { type FailedModel, ModelRepository } from "../repository/index.js";
import { type InferenceProcess, init, type Runtime, type StopOptions } from "../runtime/index.js";
import type { AccessParameters } from "./access-options.js";
import { addressText } from "./addresses.js";
import type { socketParameters } from "./socket-options.js";
import { bold, red, table } from "./style.js";

/** As cac hands them over. */
export interface RepositoryOptions {
  models?: string | undefined;
  modelControl?: string | undefined;
  loadModel?: string | string[] | undefined;
  strictReadiness?: boolean | undefined;
}

export function addRepositoryOptions(command: Command): Command {
  return command
    .option(
      "--models <dir>",
      "Serve the models of a directory: NAME/VERSION/model.onnx, and NAME/config.pbtxt if there is one",
    )
    .option("--model-control <mode>", "all: load every model at start; explicit: those of --load-model (default: all)")
    .option(
      "--load-model <name>",
      "A model to load at start, with --model-control explicit; may be given several times",
    )
    .option("--strict-readiness", "Be ready only while all models that were to be loaded at start are served");
}

/** Throws INVALID_ARGUMENT for an option that has no effect without --models. */
export function refuseRepositoryOptions({ modelControl, loadModel, strictReadiness }: RepositoryOptions): void {
  const given = { "--model-control": modelControl, "--load-model": loadModel, "--strict-readiness": strictReadiness };
  for (const [path, value] of Object.entries(given)) {
    if (value !== undefined) throw new InvalidArgumentError("goes with --models DIR", { path });
  }
}

interface ServeModelsOptions extends RepositoryOptions {
  readonly models: string;
  readonly port: number;
  readonly sockets: ReturnType<typeof socketParameters>;
  readonly access: AccessParameters;
  readonly grpcPort: number | undefined;
  readonly stopping: StopOptions;
}

export async function serveModels(options: ServeModelsOptions): Promise<void> {
  const load = modelsToLoad(options);
  const runtime = await init("local");
  const doors: { close(): void }[] = [];
  try {
    const { access, grpcPort, port, sockets } = options;
    const front = await openHttpPort(runtime, { port, ...sockets, ...access });
    doors.push(front);
    const grpc = grpcPort === undefined ? undefined : await openGrpcPort(runtime, { port: grpcPort, ...access });
    if (grpc !== undefined) doors.push(grpc);
    const repository = await ModelRepository.open(runtime, {
      directory: options.models,
      load,
      strictReadiness: options.strictReadiness ?? false,
      stopping: options.stopping,
      addDrivers: async (process) => {
        await process.addDriver("http", HttpDriver, { port: front.port, replace: true });
        if (grpc !== undefined) await process.addDriver("grpc", GrpcDriver, { port: grpc.port, replace: true });
      },
    });
    runtime.useRepository(repository);
    // From the beginning: a signal while models are loaded stops those that are served in good order.
    const asked = runtime.untilAsked().then(() => repository.close());
    const failed = await Promise.race([repository.start(), asked]);
    if (failed === undefined) return;
    tell(runtime, failed);
    const { host = "127.0.0.1", tls } = options.access;
    const scheme = tls === undefined ? "http" : "https";
    const address = addressText({ address: host, port: front.port });
    process.stdout.write(`headrace: ${bold(options.models)} is listening on ${bold(`${scheme}://${address}`)}\n`);
    if (grpc !== undefined) tellOfGrpc({ address: host, port: grpc.port });
    await asked;
  } finally {
    for (const door of doors) door.close();
    await runtime.stop(options.stopping);
  }
}

export function tellOfGrpc(address: Parameters<typeof addressText>[0]): void {
  process.stdout.write(`headrace: gRPC is listening on ${bold(addressText(address))}\n`);
}

function modelsToLoad({ modelControl = "all", loadModel }: RepositoryOptions): "all" | string[] {
  if (modelControl !== "all" && modelControl !== "explicit") {
    throw new InvalidArgumentError(`expected all or explicit, got '${modelControl}'`, { path: "--model-control" });
  }
  if (modelControl === "explicit") return [loadModel ?? []].flat();
  if (loadModel === undefined) return "all";
  throw new InvalidArgumentError("goes with --model-control explicit; all models are loaded", { path: "--load-model" });
}

/** One line for each version that is served, and what could not be. */
function tell(runtime: Runtime, failed: readonly FailedModel[]): void {
  const processes = runtime.listProcesses();
  const rows = processes.map((served) => [bold(served.name), `version ${served.version}`, described(served)]);
  process.stdout.write(rows.length === 0 ? "headrace: no model is loaded\n" : table(rows));
  for (const { name, error } of failed) {
    const { code, message } = toHeadraceError(error);
    process.stderr.write(`${red("headrace:")} ${name} is not served: ${code}: ${message}\n`);
  }
}

function described(served: InferenceProcess): string {
  const largest = Object.values(served.stats()).map(({ batchSizes }) => batchSizes.length - 1);
  const rows = Math.min(...largest);
  const runs = rows > 1 ? `up to ${rows} steps a run` : "one step a run";
  return served.stateful ? `${runs}, stateful` : runs;
}
