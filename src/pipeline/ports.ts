import type { AnyValueType, InputOf, ModelTensorType, Types, ValueOf } from "../types/index.js";
import type { CellDefinition } from "./cell.js";

/** A port by name: how the graph refers to it. */
export interface PortRef {
  /** The ref that the cell was added under. */
  readonly cell: string;
  readonly port: string;
}

/** Exist in the type system only: what flows out of a port, and what may flow into one. */
declare const gives: unique symbol;
declare const takes: unique symbol;

/** An end that values of type `V` come out of. */
export interface Gives<V> {
  readonly direction: "output";
  /** @internal */
  readonly [gives]?: V;
}

/** An end that values of type `V` may go into. */
export interface Takes<V> {
  readonly direction: "input";
  /** @internal */
  readonly [takes]?: (value: V) => void;
}

/** A tensor of unknown datatype may turn out to be any, so nothing is refused before the model has been read. */
export type Given<T> = T extends ModelTensorType ? never : ValueOf<T>;

/**
 * An output of a cell, or of a nested pipeline, in a pipeline. Only the factory that it was added to knows it.
 *
 * ```ts
 * const add = factory.addCell("add", Add);
 * add.outputs.sum.type.label; // "Float"
 * factory.declareOutput("sum", add.outputs.sum);
 * ```
 */
export class OutputPort<T extends AnyValueType = AnyValueType> implements PortRef, Gives<Given<T>> {
  readonly direction = "output";
  /** @internal */
  declare readonly [gives]?: Given<T>;

  /** @param source  Where the value comes from; an output of a nested pipeline is that of a cell in it. Default: itself. */
  constructor(
    readonly cell: string,
    readonly port: string,
    readonly type: T,
    readonly source: PortRef = { cell, port },
  ) {}
}

/**
 * An input of a cell, or of a nested pipeline, in a pipeline. Only the factory that it was added to knows it.
 *
 * ```ts
 * const add = factory.addCell("add", Add);
 * factory.declareInput("a", add.inputs.a).declareInput("b", add.inputs.b);
 * ```
 */
export class InputPort<T extends AnyValueType = AnyValueType> implements PortRef, Takes<InputOf<T>> {
  readonly direction = "input";
  /** @internal */
  declare readonly [takes]?: (value: InputOf<T>) => void;

  /** @param targets  What it feeds; an input of a nested pipeline feeds ports of cells in it. Default: itself. */
  constructor(
    readonly cell: string,
    readonly port: string,
    readonly type: T,
    readonly targets: readonly PortRef[] = [{ cell, port }],
  ) {}
}

export type AnyPort = InputPort | OutputPort;

/** A cell, or a nested pipeline, in a pipeline: its ports are what `connect` and the declarations take. */
export interface PortsHandle<I extends Types, O extends Types> {
  /** Its name in this pipeline. */
  readonly ref: string;
  /** The inputs that the definition names. */
  readonly inputs: { readonly [K in keyof I]: InputPort<I[K]> };
  /** The outputs that the definition names. */
  readonly outputs: { readonly [K in keyof O]: OutputPort<O[K]> };
  /** An input by name. @throws PipelineInvalidError when there is none. */
  input<K extends keyof I & string>(name: K): InputPort<I[K]>;
  /** An output by name. @throws PipelineInvalidError when there is none. */
  output<K extends keyof O & string>(name: K): OutputPort<O[K]>;
}

/** A cell in a pipeline. */
export interface CellHandle<I extends Types, O extends Types> extends PortsHandle<I, O> {
  readonly definition: CellDefinition;
}

/** The type of a port that the definition names, else that of a model not yet read. */
export type PortType<P extends Types, K extends string> = K extends keyof P ? P[K] : ModelTensorType;

/** An ONNX cell in a pipeline. It may have more ports than its definition names: those of the model, by tensor name. */
export interface OnnxCellHandle<I extends Types, O extends Types> extends Omit<CellHandle<I, O>, "input" | "output"> {
  /** An input by name; whether the model has one that was not named in the definition is known when the inference starts. */
  input<K extends string>(name: K): InputPort<PortType<I, K>>;
  /** An output by name; whether the model has one that was not named in the definition is known when the inference starts. */
  output<K extends string>(name: K): OutputPort<PortType<O, K>>;
}

/** The types of the ports that a definition names. */
export function namedPorts(definition: CellDefinition): { readonly inputs: Types; readonly outputs: Types } {
  if (definition.kind === "function") return definition;
  const types = (ports: typeof definition.inputs) =>
    Object.fromEntries(Object.entries(ports ?? {}).map(([name, { type }]) => [name, type]));
  return { inputs: types(definition.inputs), outputs: types(definition.outputs) };
}

/** A port in a message: `cell.port`. */
export function portText({ cell, port }: PortRef): string {
  return `${cell}.${port}`;
}

/** A port in a message, with its type: `cell.port (Integer)`. */
export function endText(end: PortRef, type: AnyValueType): string {
  return `${portText(end)} (${type.label})`;
}
