/**
 * V2 requests to predictions and back, the same for HTTP and WebSocket. Where the pipeline is one ONNX cell, bytes go from
 * the socket's buffer into the engine and outputs are views over its memory; else values go through `predict`.
 */
import { DATATYPES, elementCount, typedArrayOver } from "../datatype.js";
import { NO_STATE } from "../engine/engine.js";
import { type HeadraceError, InvalidArgumentError, toHeadraceError } from "../errors.js";
import {
  type DecodedInput,
  type DecodedRequest,
  type NamedTensor,
  type RequestPlan,
  type TensorMetadata,
  toRawTensor,
} from "../protocol/index.js";
import { EngineStep, type EngineStepOptions, type StepTensor } from "../runtime/engine-step.js";
import type { DirectModel, DirectTensor, RestrictedInferenceProcess } from "../runtime/index.js";
import { stepFlags } from "../runtime/model-cell.js";
import { priorityOf, type RequestPolicy, timeoutOf } from "../runtime/request-policy.js";
import { checkRows, joinRows, rowCount, shapeOfOne } from "../runtime/rows.js";
import { valuesToTensors } from "../types/index.js";
import type { InferDone, InferHandle, RequestHead } from "./infer-types.js";
import { InferUpload } from "./infer-upload.js";
import { binaryAnswer, jsonAnswer } from "./prepared-answer.js";
import { PreparedInfer } from "./prepared-infer.js";

/** Timers of more than 31 bits go off at once; this one is 24 days. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const NOTHING: InferHandle = { cancel: () => {} };

export class InferService {
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];

  constructor(private readonly inference: RestrictedInferenceProcess) {
    const metadata = (types: RestrictedInferenceProcess["inputs"]): TensorMetadata[] =>
      Object.entries(types).map(([name, { datatype, shape }]) => ({ name, datatype, shape }));
    this.inputs = metadata(inference.inputs);
    this.outputs = metadata(inference.outputs);
  }

  /**
   * Runs a request; `done` is called exactly once, maybe before this returns.
   * @param stream The state id of requests that name none of their own.
   */
  infer(request: DecodedRequest, stream: string | undefined, done: InferDone): InferHandle {
    try {
      const stateId = request.sequenceId ?? stream;
      this.checkRequest(request, stateId);
      const { direct } = this.inference;
      if (direct === undefined) return this.predict(request, stateId, done);
      return this.step(direct, request, stateId, done);
    } catch (error) {
      done(this.refused(error), []);
      return NOTHING;
    }
  }

  /**
   * Counts a request that failed before it came to `infer`, because it could not be read, or in `upload` or its pieces; what
   * `infer` takes is counted here. Returns the error for the answer.
   */
  refused(error: unknown): HeadraceError {
    const refusal = toHeadraceError(error);
    this.inference.refused(refusal.code);
    return refusal;
  }

  private checkRequest(request: RequestHead, stateId = request.sequenceId): void {
    if (stateId === undefined && (request.sequenceStart || request.sequenceEnd)) {
      throw new InvalidArgumentError("sequence_start and sequence_end need a sequence_id", { path: "parameters" });
    }
    for (const [index, { name }] of (request.outputs ?? []).entries()) {
      if (this.outputs.some((output) => output.name === name)) continue;
      const known = this.outputs.map((output) => output.name).join(", ");
      throw new InvalidArgumentError(`there is no output '${name}'; there are ${known}`, {
        path: `outputs[${index}].name`,
      });
    }
  }

  private wanted(request: RequestHead, name: string): boolean {
    return request.outputs === undefined || request.outputs.some((output) => output.name === name);
  }

  private step(
    direct: DirectModel,
    request: DecodedRequest,
    stateId: string | undefined,
    done: InferDone,
  ): InferHandle {
    return this.run(
      direct,
      request,
      directInputs(direct, request, stateId),
      stepOptions(direct, request, stateId, this.inference.requestPolicy),
      done,
    );
  }

  /**
   * A binary request of one row whose tensors go into the engine as they arrive. Undefined where it has to be whole: then
   * `infer` takes it.
   */
  upload(plan: RequestPlan, done: InferDone): InferUpload | undefined {
    const { direct } = this.inference;
    const { tensors } = plan.inputs;
    if (direct === undefined) return undefined;
    if (tensors.some(({ datatype }) => datatype === "BYTES")) return undefined;
    this.checkRequest(plan);
    const order = engineOrder(direct, tensors, plan.sequenceId);
    const rows = tensors.map(({ shape }, index) => rowCount(shape, direct.inputs[order[index] ?? -1]?.batchAxis ?? -1));
    if (rows.some((count) => count !== 1)) return undefined;
    const options = stepOptions(direct, plan, plan.sequenceId, this.inference.requestPolicy);
    return new InferUpload(direct, tensors, order, options, (begun) =>
      this.run(direct, plan, [], { ...options, begun }, done),
    );
  }

  /** For requests whose header is `plan`'s, or undefined where they take the long way, which also says what is wrong. */
  prepare(plan: RequestPlan): PreparedInfer | undefined {
    const { direct } = this.inference;
    const [input, ...others] = plan.inputs.tensors;
    if (direct === undefined || input === undefined || others.length > 0) return undefined;
    const { requestPolicy } = this.inference;
    // A timeout needs a timer, and the bytes of a BOOL have to be looked at unless they came from JSON.
    if (timeoutOf(requestPolicy, plan.timeoutMicros ?? 0) !== 0) return undefined;
    if (input.datatype === "BOOL" && input.isMoved !== true) return undefined;
    const [wanted] = direct.inputs;
    if (wanted === undefined || !wanted.fixed || input.byteLength !== wanted.rowBytes) return undefined;
    const outputs = direct.outputs.filter(({ name }) => this.wanted(plan, name));
    const binary = outputs.filter(({ name }) => isBinary(plan, name)).length;
    if (!outputs.every(({ fixed }) => fixed) || (binary > 0 && binary < outputs.length)) return undefined;
    try {
      this.checkRequest(plan);
      engineOrder(direct, plan.inputs.tensors, plan.sequenceId);
    } catch {
      return undefined;
    }
    const head = { modelName: this.inference.name, modelVersion: this.inference.version, id: plan.id };
    const answer = binary > 0 ? binaryAnswer(head, outputs) : jsonAnswer(head, outputs);
    const { flags } = stepOptions(direct, plan, undefined, requestPolicy);
    return new PreparedInfer(this.inference, direct, plan, flags, input.byteLength, answer);
  }

  private run(
    direct: DirectModel,
    request: RequestHead,
    inputs: readonly StepTensor[],
    options: EngineStepOptions,
    done: InferDone,
  ): InferHandle {
    let timer: NodeJS.Timeout | undefined;
    const step = new EngineStep(direct.engine, inputs, options, (self, error) => {
      clearTimeout(timer);
      if (error !== undefined) return done(self.isCounted ? error : this.refused(error), []);
      let outputs: NamedTensor[];
      try {
        outputs = direct.outputs
          .filter(({ name }) => this.wanted(request, name))
          .map((output) => readOutput(self, output));
      } catch (failure) {
        return done(toHeadraceError(failure), []);
      }
      done(undefined, outputs, self);
    });
    step.submit();
    const timeoutMillis = Math.ceil(options.timeoutMicros / 1000);
    // The engine drops an expired step by itself; the timer is for one that is already running.
    if (timeoutMillis > 0 && timeoutMillis <= MAX_TIMEOUT_MS && !step.isFinished) {
      timer = setTimeout(() => step.cancel("DEADLINE_EXCEEDED"), timeoutMillis);
    }
    return { cancel: () => step.cancel("CANCELLED") };
  }

  private predict(request: DecodedRequest, stateId: string | undefined, done: InferDone): InferHandle {
    const values: Record<string, unknown> = {};
    for (const [index, input] of request.inputs.entries()) {
      const { inputs: types } = this.inference;
      const type = Object.hasOwn(types, input.name) ? types[input.name] : undefined;
      if (type === undefined) throw unknownInput(input.name, index, Object.keys(types));
      values[input.name] = type.fromTensor(toRawTensor(owned(input)), `inputs[${index}]`);
    }
    const { requestPolicy } = this.inference;
    const timeoutMicros = timeoutOf(requestPolicy, request.timeoutMicros ?? 0);
    const options = {
      ...(stateId === undefined ? {} : { stateId, start: request.sequenceStart, end: request.sequenceEnd }),
      ...(timeoutMicros === 0 ? {} : { timeoutMs: Math.min(timeoutMicros / 1000, MAX_TIMEOUT_MS) }),
      priority: priorityOf(requestPolicy, request.priority ?? 0),
    };
    const prediction = this.inference.begin(values, options, { id: request.id, trace: request.trace });
    prediction.outputs.then(
      (result) => {
        const types = Object.entries(this.inference.outputs).filter(([name]) => this.wanted(request, name));
        done(undefined, valuesToTensors(Object.fromEntries(types), result));
      },
      (error: unknown) => done(toHeadraceError(error), []),
    );
    return prediction;
  }
}

/** Whether an output is wanted in binary. */
export function isBinary(request: RequestHead, name: string): boolean {
  return request.outputs?.find((output) => output.name === name)?.binary ?? request.binaryOutputDefault;
}

/** An input whose bytes outlive the socket's buffer: `predict` may read them later. */
function owned(input: DecodedInput): DecodedInput {
  if (input.datatype === "BYTES") return { ...input, byteStrings: input.byteStrings.map((bytes) => bytes.slice()) };
  return { ...input, bytes: input.bytes.slice() };
}

function unknownInput(name: string, index: number, known: readonly string[]): InvalidArgumentError {
  return new InvalidArgumentError(`there is no input '${name}'; there are ${known.join(", ")}`, {
    path: `inputs[${index}].name`,
  });
}

/** The request's inputs in the engine's order, checked against the model. */
function directInputs(direct: DirectModel, request: DecodedRequest, stateId: string | undefined): StepTensor[] {
  const order = engineOrder(direct, request.inputs, stateId);
  const inputs: StepTensor[] = [];
  for (const [index, input] of request.inputs.entries()) {
    if (input.datatype !== "BYTES") checkBytes(input, `inputs[${index}]`);
    inputs[order[index] ?? -1] =
      input.datatype === "BYTES"
        ? { datatype: "BYTES", shape: input.shape, strings: input.byteStrings }
        : { datatype: input.datatype, shape: input.shape, bytes: input.bytes };
  }
  return inputs;
}

/** The engine's index of each of the request's inputs, their names, datatypes and shapes checked against the model. */
function engineOrder(
  direct: DirectModel,
  inputs: readonly Pick<DecodedInput, "name" | "datatype" | "shape">[],
  stateId: string | undefined,
): number[] {
  let rows: number | undefined;
  const order = inputs.map((input, index) => {
    const wanted = direct.inputs.find(({ name }) => name === input.name);
    if (wanted === undefined)
      throw unknownInput(
        input.name,
        index,
        direct.inputs.map(({ name }) => name),
      );
    checkTensor(input, wanted, `inputs[${index}]`);
    if (wanted.batchAxis >= 0) {
      const count = rowCount(input.shape, wanted.batchAxis);
      checkRows(count, rows, stateId === undefined ? undefined : "a sequence", `inputs[${index}].shape`);
      rows = count;
    }
    return wanted.index;
  });
  for (const { name, index } of direct.inputs) {
    if (!order.includes(index)) throw new InvalidArgumentError(`input '${name}' is missing`, { path: "inputs" });
  }
  return order;
}

function stepOptions(
  direct: DirectModel,
  request: RequestHead,
  stateId: string | undefined,
  policy: RequestPolicy,
): EngineStepOptions {
  return {
    key: stateId === undefined ? NO_STATE : direct.engine.keyOf(stateId),
    flags: stepFlags({
      start: request.sequenceStart,
      end: request.sequenceEnd,
      priority: priorityOf(policy, request.priority ?? 0),
    }),
    timeoutMicros: timeoutOf(policy, request.timeoutMicros ?? 0),
    keep: false,
    info: request,
  };
}

function checkTensor(input: Pick<DecodedInput, "datatype" | "shape">, wanted: DirectTensor, path: string): void {
  if (input.datatype !== wanted.datatype) {
    throw new InvalidArgumentError(`is ${input.datatype}, the model takes ${wanted.datatype}`, {
      path: `${path}.datatype`,
    });
  }
  const { shape } = wanted;
  const fits =
    input.shape.length === shape.length && shape.every((size, axis) => size < 0 || size === input.shape[axis]);
  if (!fits) {
    throw new InvalidArgumentError(`is [${input.shape}], the model takes [${shape}]`, { path: `${path}.shape` });
  }
}

/** The protocol has checked data against shape; this guards the engine's memory against a mistake in either. */
function checkBytes(input: Exclude<DecodedInput, { datatype: "BYTES" }>, path: string): void {
  const bytes = elementCount(input.shape) * DATATYPES[input.datatype].bytes;
  if (input.bytes.byteLength === bytes) return;
  throw new InvalidArgumentError(`has ${input.bytes.byteLength} bytes, not ${bytes}`, { path });
}

function readOutput(step: EngineStep, output: DirectTensor): NamedTensor {
  const { name, datatype, batchAxis, index, oneRow } = output;
  const rows = step.output(index);
  const [only] = rows;
  if (rows.length !== 1 || only?.bytes === undefined || datatype === "BYTES") {
    return { name, ...joinRows(datatype, rows, batchAxis, name) };
  }
  return {
    name,
    datatype,
    shape: output.fixed ? oneRow : shapeOfOne(only.shape, batchAxis),
    data: typedArrayOver(datatype, only.bytes),
  };
}
