import { InvalidArgumentError } from "../errors.js";
import type { Logger } from "../log.js";
import { shown } from "../shown.js";
import type { InputOf, NoTypes, Types, ValueOf, ValuesOf } from "../types/index.js";
import type { OnnxCell } from "./onnx-options.js";

/** Steps that a batch cell is given at once. */
const DEFAULT_MAX_BATCH = 64;

/** What `load` of a function cell is given. */
export interface CellLoadContext<P extends Types> {
  /** The cell's ref in its pipeline. */
  readonly ref: string;
  /** The values of the cell's parameters when the inference starts. */
  readonly parameters: ValuesOf<P>;
  /** Logs under the cell's name. */
  readonly log: Logger;
  /** Where the models of this process run. */
  readonly device: "cpu";
  /** An absolute folder: where the inference says that its models and other files are (`modelPath`). */
  readonly modelPath: string;
}

/** What `call` of a function cell is given. */
export interface CellContext<I extends Types, P extends Types, S extends Types, R = unknown> {
  /** The validated values of the inputs. Read-only: other cells may see the same tensors. */
  readonly inputs: ValuesOf<I>;
  /** The values of the cell's parameters, the same during the whole step, whatever `setParameters` does meanwhile. */
  readonly parameters: ValuesOf<P>;
  /** The state of this prediction's state id: assign to its fields. A step that fails leaves it as it was. */
  readonly state: { -readonly [K in keyof S]: ValueOf<S[K]> };
  /** What `load` returned. */
  readonly resources: R;
  /** The stream that this step belongs to; undefined: none, the prediction stands by itself. */
  readonly stateId: string | undefined;
  /** Whether the stream ends with this step, so that its state is freed afterwards. */
  readonly end: boolean;
  /** Aborted when the caller gives up or the timeout passes; hand it on to whatever waits. */
  readonly signal: AbortSignal;
}

/** What `call` of a function cell gives: a value for every output. Validated like input. */
export type CellResult<O extends Types> = { readonly [K in keyof O]: InputOf<O[K]> };

/** What `defineCell` takes. Exactly one of `call` and `batch`. */
export interface FunctionCellOptions<
  I extends Types,
  O extends Types,
  P extends Types,
  S extends Types,
  R = undefined,
> {
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
   * Runs once before the first step of each inference process: opens what the steps need. What it returns is their
   * `resources`. An error thrown ends the start of the inference, as CELL_FAILED. Default: nothing to load.
   */
  load?(context: CellLoadContext<P>): R | Promise<R>;
  /** Runs once after the last step: frees what `load` opened. Default: nothing to free. */
  close?(resources: R): void | Promise<void>;
  /**
   * One step: gives the outputs, or a promise of them. It runs on the thread that started the inference process, so long
   * computations belong in an ONNX cell. An error thrown fails this prediction only: an InvalidArgumentError, which says that
   * the input is at fault, as INVALID_ARGUMENT, any other as CELL_FAILED.
   */
  call?(context: CellContext<I, P, S, R>): CellResult<O> | Promise<CellResult<O>>;
  /**
   * Steps of different state ids: those that arrived together, or while the batch before them ran. Gives a result for each,
   * in their order; an Error in the place of a result fails that prediction only, an error thrown fails all of them.
   */
  batch?(steps: readonly CellContext<I, P, S, R>[]): BatchResults<O> | Promise<BatchResults<O>>;
  /** The most steps that `batch` is given. Default: 64. */
  readonly maxBatch?: number;
}

/** A result, or why there is none, for each step of a batch. */
export type BatchResults<O extends Types> = readonly (CellResult<O> | Error)[];

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
  /** Runs a step; not there in a cell that takes many at once. */
  call?(context: CellContext<I, P, S>): CellResult<O> | Promise<CellResult<O>>;
  /** Runs up to `maxBatch` steps of different state ids; not there in a cell that is stepped one by one. */
  batch?(steps: readonly CellContext<I, P, S>[]): BatchResults<O> | Promise<BatchResults<O>>;
  readonly maxBatch: number;
  /** Opens what the steps need and gives it to them as `resources`; undefined where the cell opens nothing. */
  load(context: CellLoadContext<P>): unknown;
  /** Frees what `load` gave. Called once, after the last step. */
  close(resources: unknown): void | Promise<void>;
}

/** Any cell that can be added to a pipeline. */
export type CellDefinition = FunctionCell | OnnxCell;

/**
 * A cell written in TypeScript, its `call` or `batch` typed by the types of its inputs, outputs, parameters and state.
 *
 * ```ts
 * const Add = defineCell({
 *   name: "Add",
 *   inputs: { a: Float(), b: Float({ default: 1 }) },
 *   outputs: { sum: Float() },
 *   call: ({ inputs }) => ({ sum: inputs.a + inputs.b }),
 * });
 * ```
 *
 * @throws InvalidArgumentError when the name is empty, a type is none, or a state has no default.
 */
export function defineCell<
  const I extends Types,
  const O extends Types,
  const P extends Types = NoTypes,
  const S extends Types = NoTypes,
  R = undefined,
>(options: FunctionCellOptions<I, O, P, S, R>): FunctionCell<I, O, P, S> {
  const cell = nameOf(options.name, "defineCell.name");
  const state = typesOf(options.state, `${cell}.state`);
  for (const [name, type] of Object.entries(state)) {
    if (type.default !== undefined) continue;
    const message = "a state needs an initial value: give its type a default";
    throw new InvalidArgumentError(message, { path: `${cell}.state.${name}` });
  }
  // Functions are called on the options, so that `this` is what their author sees, and with what its own `load` gave.
  type Step = CellContext<I, P, S, R>;
  const { call, batch } = options;
  checkFunctions(call, batch, cell);
  return Object.freeze({
    kind: "function",
    name: cell,
    description: options.description,
    inputs: typesOf(options.inputs, `${cell}.inputs`) as I,
    outputs: typesOf(options.outputs, `${cell}.outputs`) as O,
    parameters: typesOf(options.parameters, `${cell}.parameters`) as P,
    state: state as S,
    ...(call && { call: (step: CellContext<I, P, S>) => call.call(options, step as Step) }),
    ...(batch && { batch: (steps: readonly CellContext<I, P, S>[]) => batch.call(options, steps as readonly Step[]) }),
    maxBatch: maxBatchOf(options.maxBatch ?? DEFAULT_MAX_BATCH, cell),
    load: (context: CellLoadContext<P>) => options.load?.(context),
    close: (resources: unknown) => options.close?.(resources as R),
  });
}

function checkFunctions(call: unknown, batch: unknown, cell: string): void {
  if (call !== undefined && batch !== undefined) {
    throw new InvalidArgumentError("a cell has `call` or `batch`, not both", { path: `${cell}.batch` });
  }
  if (typeof (call ?? batch) === "function") return;
  throw new InvalidArgumentError("expected a function", { path: `${cell}.${batch === undefined ? "call" : "batch"}` });
}

function maxBatchOf(maxBatch: number, cell: string): number {
  if (Number.isSafeInteger(maxBatch) && maxBatch >= 1) return maxBatch;
  throw new InvalidArgumentError(`expected an integer of at least 1, got ${shown(maxBatch)}`, {
    path: `${cell}.maxBatch`,
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
