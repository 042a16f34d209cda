/** What the listener's threads serve by themselves, without JavaScript. */
import type { NativeInferSpec, NativeInferTensor } from "../../engine/server-surface.js";
import type { DirectModel, DirectTensor } from "../../runtime/index.js";
import type { TransportServer } from "../../transport/index.js";
import type { ModelEndpoint } from "./model-endpoint.js";

/**
 * Lets the threads of a listener serve the raw streams of an endpoint's model where they can, and those who follow its streams hear
 * of their steps. Its infer requests they can serve too, on paths that are still to be said: see `NativeInfer`. Returns how to end
 * that; undefined where they can do nothing of it.
 */
export function serveNatively(server: TransportServer, endpoint: ModelEndpoint): (() => void) | undefined {
  const { direct, stateful } = endpoint.inference;
  if (direct === undefined) return undefined;
  const takesRaw = stateful && isPlain(direct);
  const infer = inferSpec(endpoint, direct);
  if (!takesRaw && infer === undefined) return undefined;
  const { engine } = direct;
  const model = server.addModel(engine.share(), (key, outputs) => engine.steppedElsewhere(key, outputs));
  const stopFollowing = engine.onTap((key, on) => model.follow(key, on));
  if (infer !== undefined) model.serveInfer(infer);
  endpoint.native = { model, takesRaw, takesInfer: infer !== undefined };
  return () => {
    stopFollowing();
    endpoint.native = undefined;
    server.removeModel(model);
  };
}

/** Whether a frame is the bytes of its input as they are, and an answer those of all outputs in the engine's order. */
function isPlain({ engine, inputs, outputs }: DirectModel): boolean {
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0) return false;
  // The bytes of a BOOL have to be looked at, and strings have no size.
  if (input.datatype === "BOOL" || input.datatype === "BYTES") return false;
  // One open dimension follows from how many bytes a frame has.
  if (input.rowShape.filter((dimension) => dimension < 0).length > 1) return false;
  if (outputs.length !== engine.description.outputs.length) return false;
  return outputs.every(({ index, fixed }, position) => fixed && index === position);
}

/** Undefined where requests of one model differ in more than their elements, or need a timer. */
function inferSpec(
  { inference, parameters }: ModelEndpoint,
  { inputs, outputs }: DirectModel,
): NativeInferSpec | undefined {
  const { timeoutMicros = 0, priorityLevels = 0, defaultPriority = 0 } = inference.requestPolicy;
  const [ins, outs] = [inputs.map(inferTensor), outputs.map(inferTensor)];
  if (timeoutMicros !== 0 || !isWhole(ins) || !isWhole(outs) || ins.length === 0) return undefined;
  return {
    modelName: inference.name,
    modelVersion: inference.version,
    inputs: ins,
    outputs: outs,
    maxBodyBytes: parameters.maxBodyBytes,
    priorityLevels,
    defaultPriority,
  };
}

function isWhole(tensors: readonly (NativeInferTensor | undefined)[]): tensors is readonly NativeInferTensor[] {
  return !tensors.includes(undefined);
}

function inferTensor({
  name,
  datatype,
  shape,
  batchAxis,
  index,
  rowBytes,
  fixed,
}: DirectTensor): NativeInferTensor | undefined {
  return fixed && datatype !== "BYTES" ? { name, datatype, shape, batchAxis, index, rowBytes } : undefined;
}
