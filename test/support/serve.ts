/** Inferences and HTTP drivers in this process, stopped when their test ends. */
import type { Test } from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { HttpDriver, type HttpParameters } from "../../src/drivers/http/index.js";
import { type OnnxCell, onnxCell, type Pipeline, PipelineFactory } from "../../src/pipeline/index.js";
import {
  type DriverProcess,
  describeModel,
  Inference,
  type InferenceProcess,
  init,
  type RuntimeMode,
} from "../../src/runtime/index.js";
import { GRU } from "./paths.js";

/** A pipeline of one model, each of its tensors under its own name. */
export async function modelPipeline(cell: OnnxCell): Promise<Pipeline> {
  const { inputs, outputs } = await describeModel(cell);
  const factory = new PipelineFactory({ name: cell.name });
  const handle = factory.addCell("model", cell);
  for (const { name } of inputs) factory.declareInput(name, handle.input(name));
  for (const { name } of outputs) factory.declareOutput(name, handle.output(name));
  return factory.build() as unknown as Pipeline;
}

// Tests provoke many errors; those that matter are thrown.
process.env.HEADRACE_LOG ??= "silent";

type CellOptions = Partial<Parameters<typeof onnxCell>[0]>;

/** The recurrent model: input [N, 512] FP32 -> output [N, 8] FP32, 64 floats of state. */
export function gruPipeline(options: CellOptions = {}): Promise<Pipeline> {
  return modelPipeline(onnxCell({ name: "gru", model: GRU, ...options }));
}

export async function start<P extends Pipeline>(
  t: Test,
  what: P | Inference<P>,
  mode: RuntimeMode = "local",
): Promise<InferenceProcess<P>> {
  const runtime = await init(mode);
  t.teardown(() => runtime.stop({ timeoutMs: 1 }));
  return runtime.startInference(what instanceof Inference ? what : new Inference({ pipeline: what }));
}

export interface Served<P extends Pipeline> {
  readonly process: InferenceProcess<P>;
  readonly driver: DriverProcess<HttpParameters>;
  readonly client: HeadraceClient;
  readonly url: string;
  readonly port: number;
}

/** Serves a pipeline on a free port of the loopback. */
export async function serve<P extends Pipeline>(
  t: Test,
  what: P | Inference<P>,
  parameters: Partial<HttpParameters> = {},
  mode: RuntimeMode = "local",
): Promise<Served<P>> {
  const served = await start(t, what, mode);
  const driver = await served.addDriver("web", HttpDriver, { port: 0, ...parameters });
  const client = new HeadraceClient({ process: driver, model: served.name });
  const { port } = driver.getService("http").taggedAddresses.lan;
  return { process: served, driver, client, url: client.url, port };
}
