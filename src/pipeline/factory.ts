import { PipelineInvalidError } from "../errors.js";
import { type AnyValueType, MODEL_TENSOR, type NoTypes, type Types } from "../types/index.js";
import { type CellDefinition, type FunctionCell, nameOf } from "./cell.js";
import {
  checkEdge,
  checkFed,
  commonType,
  type Edge,
  type NestedPipeline,
  portKey,
  type TypedEnd,
  topologicalOrder,
} from "./graph.js";
import type { OnnxCell } from "./onnx-options.js";
import { Pipeline, type PipelineInput, type PipelineOutput } from "./pipeline.js";
import {
  type AnyPort,
  type CellHandle,
  endText,
  type Gives,
  InputPort,
  namedPorts,
  type OnnxCellHandle,
  OutputPort,
  type PortRef,
  type PortsHandle,
  portText,
  type Takes,
} from "./ports.js";

/** What a `PipelineFactory` is made with. */
export interface PipelineOptions {
  /** The pipeline's name: that of the model on the V2 wire. */
  readonly name: string;
  /** What the pipeline does, for people. Default: none. */
  readonly description?: string;
}

type AnyHandle = CellHandle<Types, Types> | OnnxCellHandle<Types, Types>;

/**
 * Puts cells together into a pipeline. Each declaration returns the factory itself with its type extended; a factory may
 * build several times, and what was built does not change with it.
 *
 * ```ts
 * const factory = new PipelineFactory({ name: "doubler" });
 * const add = factory.addCell("add", Add);
 * const pipeline = factory
 *   .declareInput("x", [add.inputs.a, add.inputs.b])
 *   .declareOutput("sum", add.outputs.sum)
 *   .build();
 * ```
 */
export class PipelineFactory<I extends Types = NoTypes, O extends Types = NoTypes> {
  /** Never there: where the type system keeps what was declared. */
  declare readonly declared?: { readonly inputs: I; readonly outputs: O };
  readonly name: string;
  readonly #description: string | undefined;
  readonly #cells = new Map<string, CellDefinition>();
  readonly #nested = new Map<string, NestedPipeline>();
  readonly #edges: Edge[] = [];
  readonly #inputs = new Map<string, PipelineInput>();
  readonly #outputs = new Map<string, PipelineOutput>();
  /** What feeds each input port, in the words of an error message. */
  readonly #feeds = new Map<string, string>();
  /** Our own ports: one of another factory names a cell that is not here, or worse, one that is. */
  readonly #ports = new WeakSet<object>();

  /** @throws InvalidArgumentError when the name is empty. */
  constructor(options: PipelineOptions) {
    this.name = nameOf(options.name, "PipelineFactory.name");
    this.#description = options.description;
  }

  /**
   * Adds a cell under a name of its own, its ref: parameters and statistics go by it. One definition may be added several
   * times, each with a state of its own. A pipeline can be added like a cell; its cells then go by `ref/cell`.
   *
   * @throws PipelineInvalidError when the ref is taken.
   */
  addCell<CI extends Types, CO extends Types, P extends Types, S extends Types>(
    ref: string,
    definition: FunctionCell<CI, CO, P, S>,
  ): CellHandle<CI, CO>;
  addCell<CI extends Types, CO extends Types>(ref: string, definition: OnnxCell<CI, CO>): OnnxCellHandle<CI, CO>;
  addCell<CI extends Types, CO extends Types>(ref: string, definition: Pipeline<CI, CO>): PortsHandle<CI, CO>;
  addCell(ref: string, definition: CellDefinition | Pipeline): AnyHandle | PortsHandle<Types, Types> {
    nameOf(ref, `${this.name}.addCell`);
    if (definition instanceof Pipeline) return this.#addPipeline(ref, definition);
    this.#refuseTaken(ref);
    this.#cells.set(ref, definition);
    const ports = this.#handle(ref, namedPorts(definition), definition.kind === "onnx", {
      input: (name, type) => new InputPort(ref, name, type),
      output: (name, type) => new OutputPort(ref, name, type),
    });
    return Object.freeze({ ...ports, definition });
  }

  #handle(
    ref: string,
    named: { readonly inputs: Types; readonly outputs: Types },
    isOpen: boolean,
    make: {
      input(name: string, type: AnyValueType): InputPort;
      output(name: string, type: AnyValueType): OutputPort;
    },
  ): PortsHandle<Types, Types> {
    const input = this.#portsOf(named.inputs, isOpen, "input", make.input, ref);
    const output = this.#portsOf(named.outputs, isOpen, "output", make.output, ref);
    const all = <P>(types: Types, port: (name: string) => P): Readonly<Record<string, P>> =>
      Object.freeze(Object.fromEntries(Object.keys(types).map((name) => [name, port(name)])));
    const inputs = all(named.inputs, input);
    const outputs = all(named.outputs, output);
    return Object.freeze({ ref, inputs, outputs, input, output });
  }

  /** The graph of a nested pipeline becomes part of this one: what runs is always one flat graph. */
  #addPipeline(ref: string, nested: Pipeline): PortsHandle<Types, Types> {
    const within = (inner: string): string => `${ref}/${inner}`;
    const port = ({ cell, port }: PortRef): PortRef => Object.freeze({ cell: within(cell), port });
    // All are looked at before the first one is added: a refused pipeline leaves nothing behind.
    for (const taken of [ref, ...Object.keys(nested.nested).map(within), ...Object.keys(nested.cells).map(within)]) {
      this.#refuseTaken(taken);
    }
    const { name, description } = nested;
    this.#nested.set(ref, Object.freeze({ name, description }));
    for (const [inner, group] of Object.entries(nested.nested)) this.#nested.set(within(inner), group);
    for (const [inner, cell] of Object.entries(nested.cells)) this.#cells.set(within(inner), cell);
    for (const { from, to } of nested.edges) {
      this.#edges.push(Object.freeze({ from: port(from), to: port(to) }));
      this.#feeds.set(portKey(port(to)), portText(port(from)));
    }
    const types = (ports: Readonly<Record<string, { readonly type: AnyValueType }>>): Types =>
      Object.fromEntries(Object.entries(ports).map(([name, { type }]) => [name, type]));
    const { inputs, outputs } = nested;
    return this.#handle(ref, { inputs: types(inputs), outputs: types(outputs) }, false, {
      input: (name, type) => new InputPort(ref, name, type, inputs[name]?.targets.map(port)),
      output: (name, type) => {
        const source = outputs[name]?.source;
        return new OutputPort(ref, name, type, source && port(source));
      },
    });
  }

  #refuseTaken(ref: string): void {
    if (!this.#cells.has(ref) && !this.#nested.has(ref)) return;
    throw new PipelineInvalidError(`A cell "${ref}" is in the pipeline already; add this one under another ref.`);
  }

  /** Finds or makes the port of a name: always the same object. Only a model may have ports that were not named. */
  #portsOf<P extends AnyPort>(
    types: Types,
    isOpen: boolean,
    direction: string,
    make: (name: string, type: AnyValueType) => P,
    ref: string,
  ): (name: string) => P {
    const made = new Map<string, P>();
    return (name) => {
      const known = made.get(name);
      if (known !== undefined) return known;
      const type = Object.hasOwn(types, name) ? types[name] : isOpen ? MODEL_TENSOR : undefined;
      if (type === undefined) {
        const names = Object.keys(types).join(", ") || "none";
        throw new PipelineInvalidError(`The cell "${ref}" has no ${direction} "${name}"; it has: ${names}.`);
      }
      const port = make(nameOf(name, ref), type);
      this.#ports.add(Object.freeze(port));
      made.set(name, port);
      return port;
    };
  }

  /**
   * Lets an output of one cell feed an input of another. An output may feed many.
   *
   * @throws PipelineInvalidError when the types do not fit, the input is fed already, or a port is of another factory.
   */
  connect<V>(from: Gives<V>, to: Takes<V>): this {
    const source = this.#own<OutputPort>(from, "output");
    const target = this.#own<InputPort>(to, "input");
    checkEdge(end(source), end(target));
    this.#refuseFed(target, endText(source, source.type));
    for (const to of target.targets) {
      this.#feeds.set(portKey(to), endText(source, source.type));
      this.#edges.push(Object.freeze({ from: refOf(source.source), to: refOf(to) }));
    }
    return this;
  }

  /**
   * Declares an input of the pipeline. One that feeds several ports has the narrowest of their types.
   *
   * @throws PipelineInvalidError when the name is taken, a port is fed already, or no value fits all the ports.
   */
  declareInput<const N extends string, T extends AnyValueType>(
    name: N,
    to: InputPort<T> | readonly InputPort<T>[],
  ): PipelineFactory<I & { readonly [K in N]: T }, O> {
    nameOf(name, `${this.name}.declareInput`);
    if (this.#inputs.has(name)) throw new PipelineInvalidError(`The input "${name}" is declared already.`);
    const targets = [...new Set("direction" in to ? [to] : to)].map((port) => this.#own<InputPort>(port, "input"));
    const type = commonType(name, targets.map(end));
    // All are looked at before the first one is taken: a refused declaration leaves nothing behind.
    for (const target of targets) this.#refuseFed(target, `The input "${name}"`);
    const fed = targets.flatMap((target) => target.targets.map(refOf));
    for (const target of fed) this.#feeds.set(portKey(target), `the input "${name}"`);
    this.#inputs.set(name, Object.freeze({ type, targets: Object.freeze(fed) }));
    return this as unknown as PipelineFactory<I & { readonly [K in N]: T }, O>;
  }

  /**
   * Declares an output of the pipeline.
   *
   * @throws PipelineInvalidError when the name is taken or the port is of another factory.
   */
  declareOutput<const N extends string, T extends AnyValueType>(
    name: N,
    from: OutputPort<T>,
  ): PipelineFactory<I, O & { readonly [K in N]: T }> {
    nameOf(name, `${this.name}.declareOutput`);
    if (this.#outputs.has(name)) throw new PipelineInvalidError(`The output "${name}" is declared already.`);
    const source = this.#own<OutputPort>(from, "output");
    this.#outputs.set(name, Object.freeze({ type: source.type, source: refOf(source.source) }));
    return this as unknown as PipelineFactory<I, O & { readonly [K in N]: T }>;
  }

  /**
   * The pipeline as it is now. Ports whose types only the model knows are checked when the inference starts.
   *
   * @throws PipelineInvalidError for a cycle, an input that nothing feeds, or a pipeline without outputs.
   */
  build(): Pipeline<I, O> {
    if (this.#outputs.size === 0) {
      throw new PipelineInvalidError(`The pipeline "${this.name}" has no outputs; declare one with declareOutput.`);
    }
    const order = topologicalOrder([...this.#cells.keys()], this.#edges);
    for (const [ref, definition] of this.#cells) {
      checkFed(ref, namedPorts(definition).inputs, (port) => this.#feeds.has(portKey(port)));
    }
    return new Pipeline<I, O>({
      name: this.name,
      description: this.#description,
      cells: Object.freeze(Object.fromEntries(this.#cells)),
      nested: Object.freeze(Object.fromEntries(this.#nested)),
      inputs: Object.freeze(Object.fromEntries(this.#inputs)),
      outputs: Object.freeze(Object.fromEntries(this.#outputs)),
      edges: Object.freeze([...this.#edges]),
      order: Object.freeze(order),
    });
  }

  #refuseFed(target: InputPort, source: string): void {
    const other = target.targets.map((to) => this.#feeds.get(portKey(to))).find((feed) => feed !== undefined);
    if (other === undefined) return;
    const to = endText(target, target.type);
    throw new PipelineInvalidError(`${source} cannot feed ${to}: ${other} feeds it already. An input has one source.`);
  }

  #own<P extends AnyPort>(port: object, direction: P["direction"]): P {
    if (this.#ports.has(port) && (port as AnyPort).direction === direction) return port as P;
    const known = port instanceof InputPort || port instanceof OutputPort;
    if (!known) throw new PipelineInvalidError(`Expected an ${direction} port of a cell: cell.${direction}s.name.`);
    const what = `${portText(port)} is ${port.direction === direction ? "a port of another factory" : `an ${port.direction}`}`;
    throw new PipelineInvalidError(`${what}; use an ${direction} of a cell that was added to this factory.`);
  }
}

function refOf({ cell, port }: PortRef): PortRef {
  return Object.freeze({ cell, port });
}

function end(port: AnyPort): TypedEnd {
  return { ref: port, type: port.type };
}
