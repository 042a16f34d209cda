/**
 * The control inputs of Triton's sequence batcher (CONTROL_SEQUENCE_START, …), which tell a model about the sequence that a
 * step is of: a function cell makes them, so that clients need not.
 */
import { DATATYPES, type Datatype, elementCount, type FixedDatatype } from "../datatype.js";
import type { TensorDescription } from "../engine/surface.js";
import { InvalidArgumentError } from "../errors.js";
import { defineCell, type FunctionCell } from "../pipeline/index.js";
import { Boolean as BooleanType, type Shaped, Tensor, tensor } from "../types/index.js";
import { configError } from "./config-error.js";
import type { TritonControl, TritonDataType } from "./config-schema.js";
import type { ModelConfig } from "./model-config.js";

/** One control, and the model's input that takes it. */
export interface Control {
  readonly input: string;
  readonly kind: NonNullable<TritonControl["kind"]>;
  readonly datatype: Datatype;
  /** What stands for false and for true; undefined for the correlation id. */
  readonly falseTrue: readonly [number, number] | undefined;
  readonly where: string;
}

/** TYPE_FP32 as FP32. */
export function datatypeOf(type: TritonDataType): Datatype {
  return type === "TYPE_STRING" ? "BYTES" : (type.slice("TYPE_".length) as Datatype);
}

/** @throws HeadraceError MODEL_INVALID for a control that does not say what it needs. */
export function controlsOf({ config, places }: ModelConfig): Control[] {
  return (config.sequence_batching?.control_input ?? []).map((entry) => {
    const where = places.of(entry);
    const [control, ...others] = entry.control ?? [];
    if (!entry.name || control === undefined || others.length > 0) {
      throw configError(where, "a control input needs a name and exactly one control");
    }
    return { input: entry.name, where, ...meaning(control, where) };
  });
}

function meaning(control: TritonControl, where: string): Pick<Control, "kind" | "datatype" | "falseTrue"> {
  const { kind = "CONTROL_SEQUENCE_START", int32_false_true, fp32_false_true, bool_false_true, data_type } = control;
  if (kind === "CONTROL_SEQUENCE_CORRID") {
    const allowed = ["TYPE_UINT64", "TYPE_INT64", "TYPE_UINT32", "TYPE_INT32", "TYPE_STRING"];
    if (data_type !== undefined && allowed.includes(data_type)) {
      return { kind, datatype: datatypeOf(data_type), falseTrue: undefined };
    }
    throw configError(where, `${kind} needs a data_type of ${allowed.join(", ")}`);
  }
  const given = [
    ["INT32", int32_false_true],
    ["FP32", fp32_false_true],
    ["BOOL", bool_false_true?.map(Number)],
  ] as const;
  const [first, ...others] = given.filter(([, values]) => values !== undefined);
  const [no, yes, ...more] = first?.[1] ?? [];
  if (first === undefined || others.length > 0 || no === undefined || yes === undefined || more.length > 0) {
    throw configError(
      where,
      `${kind} needs one of int32_false_true, fp32_false_true, bool_false_true, with two values`,
    );
  }
  return { kind, datatype: first[0], falseTrue: [no, yes] };
}

/** A control with the model's input as it is, checked against it. */
function tensorOf(control: Control, inputs: readonly TensorDescription[]): TensorDescription {
  const found = inputs.find(({ name }) => name === control.input);
  if (found === undefined) {
    const names = inputs.map(({ name }) => name).join(", ");
    throw configError(control.where, `the model has no input '${control.input}'; its inputs are ${names}`);
  }
  const isOne = found.fixed ? elementCount(found.rowShape) === 1 : found.rowShape.every((size) => size === 1);
  if (found.datatype === control.datatype && isOne) return found;
  throw configError(
    control.where,
    `control input '${control.input}' is one ${control.datatype} a step, but the model has ${found.datatype} [${found.modelShape}]`,
  );
}

export const CONTROL_ROWS = "rows_like";

/**
 * The cell that makes the controls, an output for each, by its input's name. Its own input `rows_like` is any other of
 * the model's inputs, and there for the number of rows.
 * @param like Undefined where the model has no other input: then a step is one row.
 */
export function controlCell(
  controls: readonly Control[],
  inputs: readonly TensorDescription[],
  like: TensorDescription | undefined,
  likeShape: readonly number[],
): FunctionCell {
  const tensors = controls.map((control) => ({ control, ...tensorOf(control, inputs) }));
  return defineCell({
    name: "controls",
    description: "The control inputs of a sequence",
    inputs: like === undefined ? {} : { [CONTROL_ROWS]: Tensor(like.datatype, likeShape) },
    outputs: Object.fromEntries(tensors.map(({ name, datatype, ...own }) => [name, Tensor(datatype, shape(own, -1))])),
    state: { isUnderWay: BooleanType({ default: false }) },
    call({ inputs: values, state, stateId, end }) {
      const rows =
        like === undefined || like.batchAxis < 0 ? 1 : ((values[CONTROL_ROWS] as Shaped).shape[like.batchAxis] ?? 1);
      const isStart = !state.isUnderWay;
      state.isUnderWay = true;
      const made = tensors.map(({ control, ...own }) => {
        const size = shape(own, rows);
        return [control.input, filled(control, size, controlValue(control, { isStart, isEnd: end, stateId }))];
      });
      return Object.fromEntries(made) as never;
    },
  }) as unknown as FunctionCell;
}

function shape({ rowShape, batchAxis }: Pick<TensorDescription, "rowShape" | "batchAxis">, rows: number): number[] {
  const size = rowShape.map((dimension) => Math.max(dimension, 1));
  if (batchAxis >= 0) size.splice(batchAxis, 0, rows);
  return size;
}

interface Sequence {
  readonly isStart: boolean;
  readonly isEnd: boolean;
  readonly stateId: string | undefined;
}

function controlValue(
  { kind, falseTrue, datatype }: Control,
  { isStart, isEnd, stateId }: Sequence,
): number | bigint | string {
  if (falseTrue === undefined) return correlationId(stateId, datatype);
  const [no, yes] = falseTrue;
  if (kind === "CONTROL_SEQUENCE_READY") return yes;
  // A step that belongs to no sequence is the first and last of its own.
  const isSet = kind === "CONTROL_SEQUENCE_START" ? isStart : isEnd || stateId === undefined;
  return isSet ? yes : no;
}

/** Truncated to the tensor's bits, as Triton does. */
function correlationId(stateId: string | undefined, datatype: Datatype): number | bigint | string {
  if (datatype === "BYTES") return stateId ?? "";
  if (stateId === undefined) return datatype.endsWith("64") ? 0n : 0;
  if (!/^\d{1,20}$/.test(stateId) || BigInt(stateId) >= 2n ** 64n) {
    throw new InvalidArgumentError("the model takes the sequence id as a number; send one from 1 to 2^64 - 1", {
      path: "sequence_id",
    });
  }
  const id = BigInt(stateId);
  if (datatype === "UINT64") return id;
  if (datatype === "INT64") return BigInt.asIntN(64, id);
  return Number(datatype === "INT32" ? BigInt.asIntN(32, id) : BigInt.asUintN(32, id));
}

function filled({ datatype }: Control, size: readonly number[], value: number | bigint | string): Shaped {
  const count = elementCount(size);
  if (datatype === "BYTES") {
    const text = new TextEncoder().encode(String(value));
    return tensor(
      Array.from({ length: count }, () => text),
      size,
    );
  }
  const array = new DATATYPES[datatype satisfies FixedDatatype].array(count);
  array.fill(value as never);
  return tensor(array, size);
}
