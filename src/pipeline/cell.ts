import { InvalidArgumentError } from "../errors.js";
import type { InputOf, NoTypes, Types, ValueOf, ValuesOf } from "../types/index.js";
import type { OnnxCell } from "./onnx-options.js";

/** What `call` of a function cell is given. */
export interface CellContext<I extends Types, P extends Types, S extends Types> {
  /** The validated values of the inputs. Read-only: other cells may see the same tensors. */
  readonly inputs: ValuesOf<I>;
  /** The values of the cell's parameters, from the inference or their defaults. */
  readonly parameters: ValuesOf<P>;
  /** The state of this prediction's state id: assign to its fields. A step that fails leaves it as it was. */
  readonly state: { -readonly [K in keyof S]: ValueOf<S[K]> };
  /** Aborted when the caller gives up or the timeout passes; hand it on to whatever waits. */
  readonly signal: AbortSignal;
}

/** What `call` of a function cell gives: a value for every output. Validated like input. */
export type CellResult<O extends Types> = { readonly [K in keyof O]: InputOf<O[K]> };

/** What `defineCell` takes. */
export interface FunctionCellOptions<I extends Types, O extends Types, P extends Types, S extends Types> {
  /** The name in drawings, logs and metrics. */
  readonly name: string;
  /** What the cell does, for people. Default: none. */
  readonly description?: string;
  /** What the cell needs, by name. An input whose type has a default may stay unconnected. */
  readonly inputs: I;
  /** What the cell gives, by name. */
  readonly outputs: O;
  /** What can be set when the inference starts and while it runs. Default: none. */
  readonly parameters?: P;
  /** What is kept from step to step of a state id; every type needs a default, which is the initial value. Default: none. */
  readonly state?: S;
  /**
   * One step: gives the outputs, or a promise of them. It runs on the thread that started the inference process, so long
   * computations belong in an ONNX cell. An error thrown fails this prediction only, as CELL_FAILED.
   */
  call(context: CellContext<I, P, S>): CellResult<O> | Promise<CellResult<O>>;
}

/** A cell written in TypeScript. Immutable; may be added to many pipelines. */
export interface FunctionCell<
  I extends Types = Types,
  O extends Types = Types,
  P extends Types = Types,
  S extends Types = Types,
> {
  readonly kind: "function";
  readonly name: string;
  readonly description: string | undefined;
  readonly inputs: I;
  readonly outputs: O;
  readonly parameters: P;
  readonly state: S;
  call(context: CellContext<I, P, S>): CellResult<O> | Promise<CellResult<O>>;
}

/** Any cell that can be added to a pipeline. */
export type CellDefinition = FunctionCell | OnnxCell;

/**
 * A cell written in TypeScript, its `call` typed by the types of its inputs, outputs, parameters and state.
 *
 * @throws InvalidArgumentError when the name is empty, a type is none, or a state has no default.
 */
export function defineCell<
  const I extends Types,
  const O extends Types,
  const P extends Types = NoTypes,
  const S extends Types = NoTypes,
>(options: FunctionCellOptions<I, O, P, S>): FunctionCell<I, O, P, S> {
  const cell = nameOf(options.name, "defineCell.name");
  if (typeof options.call !== "function") {
    throw new InvalidArgumentError("expected a function", { path: `${cell}.call` });
  }
  const state = typesOf(options.state, `${cell}.state`);
  for (const [name, type] of Object.entries(state)) {
    if (type.default !== undefined) continue;
    const message = "a state needs an initial value: give its type a default";
    throw new InvalidArgumentError(message, { path: `${cell}.state.${name}` });
  }
  return Object.freeze({
    kind: "function",
    name: cell,
    description: options.description,
    inputs: typesOf(options.inputs, `${cell}.inputs`) as I,
    outputs: typesOf(options.outputs, `${cell}.outputs`) as O,
    parameters: typesOf(options.parameters, `${cell}.parameters`) as P,
    state: state as S,
    // Called on the options, so that `this` is what its author sees.
    call: (context: CellContext<I, P, S>) => options.call(context),
  });
}

/** A usable name: not empty, and no key that JavaScript objects treat in their own way. */
export function nameOf(name: string, path: string): string {
  if (typeof name === "string" && name !== "" && name !== "__proto__") return name;
  throw new InvalidArgumentError(`expected a name, got ${JSON.stringify(name)}`, { path });
}

function typesOf(types: Types | undefined, path: string): Types {
  for (const [name, type] of Object.entries(types ?? {})) {
    nameOf(name, path);
    if (typeof type?.parse === "function" && typeof type.kind === "string") continue;
    throw new InvalidArgumentError("expected a type, such as Integer()", { path: `${path}.${name}` });
  }
  return Object.freeze({ ...types });
}
