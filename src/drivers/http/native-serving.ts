/** What the listener's threads do for a model without JavaScript: raw streams, and plain infer requests. */
import type { NativeInferSpec, NativeInferTensor } from "../../engine/server-surface.js";
import type { DirectModel, DirectTensor, RestrictedInferenceProcess } from "../../runtime/index.js";
import type { InferCounts, NativeModel, TransportServer } from "../../transport/index.js";

const NO_COUNTS: InferCounts = { requests: 0, underWay: 0, answers: new Map() };

export class NativeServing {
  private readonly stopFollowing: () => void;
  private isServingInfer = false;
  private last: InferCounts | undefined;

  private constructor(
    private readonly server: TransportServer,
    private readonly model: NativeModel,
    direct: DirectModel,
    private readonly hasPlainFrames: boolean,
    private readonly spec: NativeInferSpec | undefined,
  ) {
    this.stopFollowing = direct.engine.onTap((key, on) => model.follow(key, on));
  }

  /** undefined where every request of the model has to be looked at here. */
  static of(
    server: TransportServer,
    inference: RestrictedInferenceProcess,
    maxBodyBytes: number,
  ): NativeServing | undefined {
    const { direct } = inference;
    if (direct === undefined || !isFixed(direct)) return undefined;
    const { engine } = direct;
    const model = server.addModel(engine.share(), (key, outputs) => engine.steppedElsewhere(key, outputs));
    const hasPlainFrames = inference.stateful && isOneBlock(direct);
    return new NativeServing(server, model, direct, hasPlainFrames, inferSpec(inference, direct, maxBodyBytes));
  }

  /** Who steps raw streams; undefined: nobody but JavaScript. */
  get streams(): NativeModel | undefined {
    return this.hasPlainFrames ? this.model : undefined;
  }

  /** Whether infer requests may be answered without anybody here seeing them. */
  serveInfer(on: boolean): void {
    if (this.spec === undefined || on === this.isServingInfer) return;
    this.isServingInfer = on;
    if (on) this.model.serveInfer(this.spec);
    else this.model.stopInfer();
  }

  /** Requests that name no version are this one's, of all versions of its model. */
  takeDefault(): void {
    if (this.spec !== undefined && this.isServingInfer) this.model.serveInfer(this.spec);
  }

  get inferCounts(): InferCounts {
    return this.last ?? (this.spec === undefined ? NO_COUNTS : this.model.inferCounts());
  }

  get isBusy(): boolean {
    return this.last === undefined && this.model.stepsUnderWay > 0;
  }

  /** Everything that is new comes here, to be refused. */
  drain(): void {
    this.serveInfer(false);
    this.model.divert();
  }

  close(): void {
    this.last = this.inferCounts;
    this.stopFollowing();
    this.server.removeModel(this.model);
  }
}

/** Whether each row of everything has a known size. */
function isFixed({ engine, inputs, outputs }: DirectModel): boolean {
  return inputs.every(({ fixed }) => fixed) && outputs.every(({ fixed }) => fixed) && engine.hasFixedInputs;
}

/** Whether a frame is the bytes of its input as they are, and an answer those of all outputs in the engine's order. */
function isOneBlock({ engine, inputs, outputs }: DirectModel): boolean {
  const [input, ...others] = inputs;
  // The bytes of a BOOL have to be looked at.
  if (input === undefined || others.length > 0 || input.datatype === "BOOL") return false;
  if (outputs.length !== engine.description.outputs.length) return false;
  return outputs.every(({ index }, position) => index === position);
}

function inferSpec(
  inference: RestrictedInferenceProcess,
  { inputs, outputs, engine }: DirectModel,
  maxBodyBytes: number,
): NativeInferSpec | undefined {
  const { name, version, requestPolicy } = inference;
  const { timeoutMicros = 0, priorityLevels = 0, defaultPriority = 0 } = requestPolicy;
  // Whoever has a timeout needs a timer, which the threads have not.
  if (timeoutMicros > 0 || [...inputs, ...outputs].some(({ datatype }) => datatype === "BYTES")) return undefined;
  if (outputs.length !== engine.description.outputs.length) return undefined;
  const path = `/v2/models/${encodeURIComponent(name)}`;
  return {
    paths: [`${path}/infer`, `${path}/versions/${encodeURIComponent(version)}/infer`],
    modelName: name,
    modelVersion: version,
    inputs: [...inputs].sort((one, other) => one.index - other.index).map(tensorOf),
    outputs: outputs.map(tensorOf),
    maxBodyBytes,
    priorityLevels,
    defaultPriority,
  };
}

function tensorOf({ name, datatype, shape, batchAxis, index, rowBytes }: DirectTensor): NativeInferTensor {
  return { name, datatype, shape: [...shape], batchAxis, index, rowBytes };
}
