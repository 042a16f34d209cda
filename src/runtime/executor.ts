/**
 * Walks the graph of a pipeline for one prediction: each cell as soon as what feeds it is there. What can be done at once is
 * done at once: a prediction of cells that do not wait for anything needs no promise.
 */
import type { Logger } from "../log.js";
import type { Pipeline } from "../pipeline/index.js";
import { parseValues, type Types } from "../types/index.js";
import type { Cancellation } from "./cancellation.js";
import type { CellParameterSet } from "./cell-parameters.js";
import { type CellStates, FunctionStates, type StateLimits } from "./function-states.js";
import { type Done, FunctionStep } from "./function-step.js";
import { type CellOutcome, ModelCell } from "./model-cell.js";
import type { PredictOptions } from "./restricted.js";
import { Turns } from "./turns.js";
import { type WiredCell, wire } from "./wiring.js";

type Values = Readonly<Record<string, unknown>>;
type Results = Map<string, Values>;

export interface ExecutorOptions {
  readonly pipeline: Pipeline;
  readonly models: ReadonlyMap<string, ModelCell>;
  readonly functions: ReadonlyMap<string, FunctionStep>;
  /** The resolved types of the pipeline's inputs. */
  readonly inputs: Types;
  readonly parameters: CellParameterSet;
  readonly limits: StateLimits;
  readonly log: Logger;
  /** One cell after the other, each logged. */
  readonly sequential: boolean;
}

/** What one step of the pipeline holds until it is settled. */
interface StepContext {
  readonly options: PredictOptions;
  readonly cancellation: Cancellation;
  /** As they were when the step began. */
  readonly parameters: ReadonlyMap<string, Values>;
  readonly states: CellStates;
  readonly held: CellOutcome[];
}

export class Executor {
  readonly states: FunctionStates;
  private readonly turns = new Turns();
  private readonly cells: readonly WiredCell[];
  private readonly outputs: readonly { readonly name: string; readonly cell: string; readonly port: string }[];
  /** The one ONNX cell of a pipeline that is nothing else: the engine then keeps order and state by itself. */
  private readonly alone: WiredCell | undefined;

  constructor(private readonly options: ExecutorOptions) {
    const { pipeline, functions, limits, sequential } = options;
    const stateful = [...functions.values()].filter(({ cell }) => Object.keys(cell.state).length > 0);
    this.states = new FunctionStates(new Map(stateful.map(({ ref, cell }) => [ref, cell])), limits);
    this.cells = wire(options);
    this.outputs = Object.entries(pipeline.outputs).map(([name, { source }]) => ({ name, ...source }));
    const [only, ...others] = this.cells;
    // Step by step, so that each can be logged, where that is asked for.
    const isAlone = only?.run instanceof ModelCell && others.length === 0 && !sequential;
    this.alone = isAlone ? only : undefined;
  }

  /** The model that the pipeline is, where it is nothing else and the engine keeps order and state by itself. */
  get model(): ModelCell | undefined {
    return this.alone?.run as ModelCell | undefined;
  }

  /** One prediction. Throws INVALID_ARGUMENT with the path of what does not fit, CELL_FAILED, and what the engine throws. */
  predict(inputs: unknown, options: PredictOptions, cancellation: Cancellation): Values | Promise<Values> {
    const values = parseValues(this.options.inputs, inputs, "inputs");
    cancellation.throwIfCancelled();
    if (this.alone !== undefined) return this.runAlone(this.alone, values, options, cancellation);
    const turn = this.turns.enter(options.stateId);
    if (turn !== undefined) return this.stepLater(turn, values, options, cancellation);
    return this.stepNow(values, options, cancellation);
  }

  private async runAlone(
    cell: WiredCell,
    values: Values,
    options: PredictOptions,
    cancellation: Cancellation,
  ): Promise<Values> {
    const model = cell.run as ModelCell;
    const { outputs } = await model.step(cell.inputsFrom(values, NONE), { ...options, hold: false }, cancellation);
    return this.sink(new Map([[cell.ref, outputs]]));
  }

  private async stepLater(
    turn: Promise<void>,
    values: Values,
    options: PredictOptions,
    cancellation: Cancellation,
  ): Promise<Values> {
    const since = performance.now();
    try {
      await cancellation.race(turn);
      cancellation.waitedMillis = performance.now() - since;
    } catch (error) {
      // A step that gave up waiting keeps its place in the order: it passes the turn on when it comes.
      void turn.then(() => this.turns.leave(options.stateId));
      throw error;
    }
    return this.stepNow(values, options, cancellation);
  }

  /** Its turn has come; it ends with the step. */
  private stepNow(values: Values, options: PredictOptions, cancellation: Cancellation): Values | Promise<Values> {
    const leave = (): void => this.turns.leave(options.stateId);
    let outputs: Values | Promise<Values>;
    try {
      outputs = this.step(values, options, cancellation);
    } catch (error) {
      leave();
      throw error;
    }
    if (outputs instanceof Promise) {
      // And not after a `finally`, which settles late: whoever awaits a step hears of it before the next one can have ended.
      void outputs.then(leave, leave);
      return outputs;
    }
    leave();
    return outputs;
  }

  /** Does something to the state of a state id between two of its steps: now, or after those that came before. */
  betweenSteps(stateId: string, act: () => void): void {
    // The engine of a pipeline that is one model keeps the order by itself.
    if (this.alone !== undefined) {
      act();
      return;
    }
    const actAndLeave = (): void => {
      try {
        act();
      } finally {
        this.turns.leave(stateId);
      }
    };
    const turn = this.turns.enter(stateId);
    if (turn === undefined) actAndLeave();
    else void turn.then(actAndLeave);
  }

  /** All cells, then all states or none: a step that fails anywhere leaves every cell's state as it was. */
  private step(values: Values, options: PredictOptions, cancellation: Cancellation): Values | Promise<Values> {
    cancellation.throwIfCancelled();
    const { stateId, start = false } = options;
    const states: CellStates = this.states.used ? this.states.begin(stateId, start) : new Map();
    const parameters = this.options.parameters.current;
    const context: StepContext = { options, cancellation, parameters, states, held: [] };
    const failed = (error: unknown): never => this.rollBack(context, error);
    try {
      const results = this.runCells(values, context);
      if (!(results instanceof Promise)) return this.commit(context, results);
      return results.then((done) => this.commit(context, done)).catch(failed);
    } catch (error) {
      return failed(error);
    }
  }

  private commit({ options, cancellation, states, held }: StepContext, results: Results): Values {
    cancellation.throwIfCancelled();
    for (const outcome of held) outcome.settle(true);
    if (this.states.used) this.states.commit(options.stateId, states, options.end ?? false);
    return this.sink(results);
  }

  private rollBack({ options, cancellation, held }: StepContext, error: unknown): never {
    for (const outcome of held) outcome.settle(false);
    if (this.states.used) this.states.rollback(options.stateId);
    // Cells that were told to stop say so in their own words; why they were told is what counts.
    cancellation.throwIfCancelled();
    throw error;
  }

  private runCells(values: Values, context: StepContext): Results | Promise<Results> {
    const results: Results = new Map();
    /** The cells whose outcome is still to come. */
    const running = new Map<string, Promise<void>>();
    for (const cell of this.cells) {
      const before = this.options.sequential
        ? [...running.values()]
        : cell.predecessors.flatMap((ref) => running.get(ref) ?? []);
      const run = (): void | Promise<void> => this.runCell(cell, values, results, context);
      // What is thrown while others are under way waits for them.
      const outcome = running.size === 0 ? run() : Promise.all(before).then(run);
      if (outcome instanceof Promise) running.set(cell.ref, outcome);
    }
    return running.size === 0 ? results : whenAll([...running.values()], results);
  }

  /** Adds the outputs of a cell, once they are there, to `results`. */
  private runCell(
    { ref, run, inputsFrom }: WiredCell,
    values: Values,
    results: Results,
    context: StepContext,
  ): void | Promise<void> {
    context.cancellation.throwIfCancelled();
    const { sequential, log } = this.options;
    const begin = sequential ? performance.now() : 0;
    const done = (outputs: Values): void => {
      results.set(ref, outputs);
      if (!sequential) return;
      const micros = Math.round((performance.now() - begin) * 1000);
      log.debug({ cell: ref, stateId: context.options.stateId, micros }, "step");
    };
    const inputs = inputsFrom(values, results);
    const outcome = run instanceof FunctionStep ? this.call(run, inputs, context) : this.infer(run, inputs, context);
    return outcome instanceof Promise ? outcome.then(done) : done(outcome);
  }

  private async infer(model: ModelCell, inputs: Values, context: StepContext): Promise<Values> {
    const hold = context.options.stateId !== undefined && model.engine.description.stateful;
    const outcome = await model.step(inputs, { ...context.options, hold }, context.cancellation);
    context.held.push(outcome);
    return outcome.outputs;
  }

  private call(step: FunctionStep, inputs: Values, context: StepContext): Values | Promise<Values> {
    const { cancellation, states, parameters, options } = context;
    const { ref } = step;
    const keep = ({ outputs, state }: Done): Values => {
      cancellation.throwIfCancelled();
      if (states.has(ref)) states.set(ref, state);
      return outputs;
    };
    const state = states.get(ref) ?? {};
    const done = step.run({
      inputs,
      parameters: parameters.get(ref) ?? {},
      state,
      stateId: options.stateId,
      end: options.end ?? false,
      cancellation,
    });
    // A cell that does not heed the signal is left behind: what it still does to its copy of the state is lost.
    return done instanceof Promise ? cancellation.race(done).then(keep) : keep(done);
  }

  private sink(results: ReadonlyMap<string, Values>): Values {
    const outputs: Record<string, unknown> = {};
    for (const { name, cell, port } of this.outputs) outputs[name] = results.get(cell)?.[port];
    return outputs;
  }
}

const NONE: ReadonlyMap<string, Values> = new Map();

/** All of them end before the states are settled, also after the first failure. */
async function whenAll(running: readonly Promise<void>[], results: Results): Promise<Results> {
  const outcomes = await Promise.allSettled(running);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results;
}
