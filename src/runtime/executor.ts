/** Walks the graph of a pipeline for one prediction: each cell as soon as what feeds it is there. */
import { bug, HeadraceError } from "../errors.js";
import type { Logger } from "../log.js";
import type { Pipeline } from "../pipeline/index.js";
import { parseValues, type Types } from "../types/index.js";
import type { CellParameterSet } from "./cell-parameters.js";
import { type CellStates, FunctionStates, type StateLimits } from "./function-states.js";
import type { FunctionStep } from "./function-step.js";
import type { CellOutcome, ModelCell } from "./model-cell.js";
import type { PredictOptions } from "./restricted.js";
import { Turns } from "./turns.js";

type Values = Readonly<Record<string, unknown>>;

export interface ExecutorOptions {
  readonly pipeline: Pipeline;
  readonly models: ReadonlyMap<string, ModelCell>;
  /** The resolved types of the pipeline's inputs. */
  readonly inputs: Types;
  readonly functions: ReadonlyMap<string, FunctionStep>;
  readonly parameters: CellParameterSet;
  readonly limits: StateLimits;
  readonly log: Logger;
  /** One cell after the other, each logged. */
  readonly sequential: boolean;
}

/** What one step of the pipeline holds until it is settled. */
interface StepContext {
  readonly options: PredictOptions;
  readonly signal: AbortSignal;
  /** As they were when the step began. */
  readonly parameters: ReadonlyMap<string, Values>;
  readonly states: CellStates;
  readonly held: CellOutcome[];
}

export class Executor {
  readonly states: FunctionStates;
  private readonly turns = new Turns();
  /** By `cell.port`: where its value comes from. */
  private readonly feeds = new Map<string, { input: string } | { cell: string; port: string }>();
  /** The one ONNX cell of a pipeline that is nothing else: the engine then keeps order and state by itself. */
  private readonly alone: ModelCell | undefined;

  constructor(private readonly options: ExecutorOptions) {
    const { pipeline, models, functions, limits } = options;
    const stateful = [...functions.values()].filter(({ cell }) => Object.keys(cell.state).length > 0);
    this.states = new FunctionStates(new Map(stateful.map(({ ref, cell }) => [ref, cell])), limits);
    for (const [input, { targets }] of Object.entries(pipeline.inputs)) {
      for (const { cell, port } of targets) this.feeds.set(`${cell}.${port}`, { input });
    }
    for (const { from, to } of pipeline.edges) this.feeds.set(`${to.cell}.${to.port}`, from);
    const [only, ...others] = pipeline.order;
    // Step by step, so that each can be logged, where that is asked for.
    this.alone = others.length === 0 && only !== undefined && !options.sequential ? models.get(only) : undefined;
  }

  /** One prediction. Throws INVALID_ARGUMENT with the path of what does not fit, CELL_FAILED, and what the engine throws. */
  async predict(inputs: unknown, options: PredictOptions): Promise<Values> {
    const values = parseValues(this.options.inputs, inputs, "inputs");
    return this.alone === undefined ? this.inTurn(values, options) : this.runAlone(this.alone, values, options);
  }

  private async runAlone(cell: ModelCell, values: Values, options: PredictOptions): Promise<Values> {
    const { outputs } = await cell.step(this.inputsOf(cell.ref, Object.keys(cell.ports.inputs), values, new Map()), {
      ...options,
      hold: false,
    });
    return this.sink(new Map([[cell.ref, outputs]]));
  }

  private async inTurn(values: Values, options: PredictOptions): Promise<Values> {
    const abort = new AbortController();
    const stopWatching = watch(abort, options);
    const turn = this.turns.take(options.stateId);
    try {
      const done = await Promise.race([turn, whenAborted(abort.signal)]);
      if (done !== undefined) return await this.step(values, options, abort.signal);
      throwIfAborted(abort.signal);
      throw bug("A step lost its turn without being aborted");
    } finally {
      stopWatching();
      abort.abort(); // lets go of whatever still listens to the signal
      // Also a step that gave up waiting has its place in the order: it passes the turn on when it comes.
      void turn.then((done) => done());
    }
  }

  /** All cells, then all states or none: a step that fails anywhere leaves every cell's state as it was. */
  private async step(values: Values, options: PredictOptions, signal: AbortSignal): Promise<Values> {
    throwIfAborted(signal);
    const { stateId, start = false, end = false } = options;
    const stateful = this.states.used;
    const context: StepContext = {
      options,
      signal,
      parameters: this.options.parameters.current,
      states: stateful ? this.states.begin(stateId, start) : new Map(),
      held: [],
    };
    try {
      const outputs = this.sink(await this.runCells(values, context));
      throwIfAborted(signal);
      for (const held of context.held) held.settle(true);
      if (stateful) this.states.commit(stateId, context.states, end);
      return outputs;
    } catch (error) {
      for (const held of context.held) held.settle(false);
      if (stateful) this.states.rollback(stateId);
      // Cells that were told to stop say so in their own words; why they were told is what counts.
      throwIfAborted(signal);
      throw error;
    }
  }

  private async runCells(values: Values, context: StepContext): Promise<Map<string, Values>> {
    const { pipeline, sequential } = this.options;
    const running = new Map<string, Promise<void>>();
    const results = new Map<string, Values>();
    for (const ref of pipeline.order) {
      const before = sequential ? [...running.values()] : this.predecessors(ref).map((from) => running.get(from));
      running.set(
        ref,
        Promise.all(before).then(async () => {
          results.set(ref, await this.runCell(ref, values, results, context));
        }),
      );
    }
    // All of them end before the states are settled, also after the first failure.
    const outcomes = await Promise.allSettled(running.values());
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return results;
  }

  private async runCell(
    ref: string,
    values: Values,
    results: ReadonlyMap<string, Values>,
    context: StepContext,
  ): Promise<Values> {
    throwIfAborted(context.signal);
    const model = this.options.models.get(ref);
    const begin = performance.now();
    let outputs: Values;
    if (model !== undefined) {
      const outcome = await model.step(this.inputsOf(ref, Object.keys(model.ports.inputs), values, results), {
        ...context.options,
        signal: context.signal,
        hold: context.options.stateId !== undefined && model.engine.description.stateful,
      });
      context.held.push(outcome);
      outputs = outcome.outputs;
    } else {
      outputs = await this.call(ref, values, results, context);
    }
    if (this.options.sequential) {
      const micros = Math.round((performance.now() - begin) * 1000);
      this.options.log.debug({ cell: ref, stateId: context.options.stateId, micros }, "step");
    }
    return outputs;
  }

  private async call(
    ref: string,
    values: Values,
    results: ReadonlyMap<string, Values>,
    context: StepContext,
  ): Promise<Values> {
    const step = this.options.functions.get(ref);
    if (step === undefined) throw bug(`There is no cell '${ref}'`);
    const { signal, states, parameters, options } = context;
    try {
      const running = step.run({
        inputs: this.inputsOf(ref, Object.keys(step.cell.inputs), values, results),
        parameters: parameters.get(ref) ?? {},
        state: states.get(ref) ?? {},
        stateId: options.stateId,
        signal,
      });
      // A cell that does not heed the signal is left behind: what it still does to its copy of the state is lost.
      const done = await Promise.race([running, whenAborted(signal)]);
      throwIfAborted(signal);
      if (done === undefined) throw bug("A cell ended without an outcome");
      if (states.has(ref)) states.set(ref, { ...done.state });
      return done.outputs;
    } catch (error) {
      throwIfAborted(signal);
      throw error;
    }
  }

  private predecessors(ref: string): string[] {
    return this.options.pipeline.edges.filter(({ to }) => to.cell === ref).map(({ from }) => from.cell);
  }

  private inputsOf(
    ref: string,
    ports: readonly string[],
    values: Values,
    results: ReadonlyMap<string, Values>,
  ): Values {
    const inputs: Record<string, unknown> = {};
    for (const port of ports) {
      const feed = this.feeds.get(`${ref}.${port}`);
      if (feed === undefined) continue;
      inputs[port] = "input" in feed ? values[feed.input] : results.get(feed.cell)?.[feed.port];
    }
    const step = this.options.functions.get(ref);
    return step === undefined ? inputs : parseValues(step.cell.inputs, inputs, `${ref}.inputs`);
  }

  private sink(results: ReadonlyMap<string, Values>): Values {
    const outputs: Record<string, unknown> = {};
    for (const [name, { source }] of Object.entries(this.options.pipeline.outputs)) {
      outputs[name] = results.get(source.cell)?.[source.port];
    }
    return outputs;
  }
}

function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw signal.reason instanceof HeadraceError
    ? signal.reason
    : new HeadraceError("CANCELLED", "the prediction was cancelled");
}

function whenAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

/** Aborts on the caller's signal or after the timeout; returns how to stop watching. */
function watch(abort: AbortController, { signal, timeoutMs }: PredictOptions): () => void {
  const cancel = (): void =>
    abort.abort(new HeadraceError("CANCELLED", "the prediction was cancelled; its state is as it was before"));
  const expire = (): void =>
    abort.abort(
      new HeadraceError(
        "DEADLINE_EXCEEDED",
        "the timeout passed before the prediction was done; its state is as it was before",
      ),
    );
  const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs);
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  };
}
