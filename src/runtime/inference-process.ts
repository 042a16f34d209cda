import type { NativeStats } from "../engine/surface.js";
import { DriverAlreadyExistsError, DriverNotFoundError, HeadraceError, InvalidArgumentError } from "../errors.js";
import { type Logger, makeLogger } from "../log.js";
import type { Pipeline, PipelineInputs, PipelineOutputs } from "../pipeline/index.js";
import { checkTypes, type FunctionCell } from "../pipeline/index.js";
import { isWellFormed, parseValues, type Types } from "../types/index.js";
import { type DirectModel, directModel } from "./direct-model.js";
import { type DriverClass, PipelineDriver } from "./driver.js";
import { type AnyDriverProcess, DriverProcess, type StopOptions } from "./driver-process.js";
import { Executor } from "./executor.js";
import type { Inference } from "./inference.js";
import { ModelCell } from "./model-cell.js";
import type { PortAllocator } from "./resources.js";
import type { PredictOptions, RestrictedInferenceProcess } from "./restricted.js";
import { decodeState, dropState, encodeState } from "./state-transfer.js";

/** How the runtime wants its processes to run. */
export interface ProcessEnvironment {
  readonly mode: "debug" | "local";
  readonly allocator: PortAllocator;
  nextPid(): number;
}

export type EvictListener = (stateId: string, reason: "ttl" | "lru") => void;

const SWEEP_MILLIS = 1000;
const DEFAULT_GRACE_MILLIS = 10_000;

/** A running inference: predicts, and has drivers. Made by `runtime.startInference`. */
export class InferenceProcess<P extends Pipeline = Pipeline> {
  readonly pid: number;
  readonly name: string;
  /** The types of the pipeline's inputs, those of models included. */
  readonly inputs: Types;
  readonly outputs: Types;
  readonly stateful: boolean;
  private readonly executor: Executor;
  private readonly direct: DirectModel | undefined;
  private readonly drivers = new Map<number, AnyDriverProcess>();
  private readonly evictListeners = new Set<EvictListener>();
  private readonly sweeper: NodeJS.Timeout;
  private readonly log: Logger;
  /** The predictions under way. */
  private readonly running = new Set<AbortController>();
  private idle: (() => void) | undefined;
  private stopping: Promise<void> | undefined;
  /** The models are being closed, or have been. */
  private isOver = false;

  private constructor(
    inference: Inference<P>,
    private readonly models: ReadonlyMap<string, ModelCell>,
    private readonly environment: ProcessEnvironment,
    private readonly onStopped: () => void,
  ) {
    const { pipeline } = inference;
    this.pid = environment.nextPid();
    this.name = pipeline.name;
    this.log = makeLogger(`process:${pipeline.name}`, environment.mode === "debug" ? "debug" : "warn");
    const ports = checkTypes(pipeline, new Map([...models].map(([ref, cell]) => [ref, cell.ports])));
    this.inputs = ports.inputs;
    this.outputs = ports.outputs;
    const functions = Object.values(pipeline.cells).filter((cell): cell is FunctionCell => cell.kind === "function");
    this.stateful =
      [...models.values()].some((cell) => cell.engine.description.stateful) ||
      functions.some((cell) => Object.keys(cell.state).length > 0);
    this.direct = directModel(pipeline, models);
    this.executor = new Executor({
      pipeline,
      models,
      inputs: this.inputs,
      parameters: cellParameters(inference),
      limits: { ttlMillis: inference.stateTtlSeconds * 1000, maxStates: inference.maxStates, evict: inference.evict },
      log: this.log,
      sequential: environment.mode === "debug",
    });
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MILLIS);
    this.sweeper.unref();
  }

  /** For the runtime: loads the models and checks the pipeline against them. When it rejects, nothing is left behind. */
  static async start<P extends Pipeline>(
    inference: Inference<P>,
    environment: ProcessEnvironment,
    onStopped: () => void,
  ): Promise<InferenceProcess<P>> {
    const models = new Map<string, ModelCell>();
    try {
      for (const [ref, cell] of Object.entries(inference.pipeline.cells)) {
        if (cell.kind !== "onnx") continue;
        models.set(ref, await ModelCell.load(ref, cell, environment.mode === "debug" ? "inline" : undefined));
      }
      return new InferenceProcess(inference, models, environment, onStopped);
    } catch (error) {
      for (const cell of models.values()) await cell.close(false);
      throw error;
    }
  }

  /**
   * One prediction. With a `stateId` it is a step of that stream: steps of one id run in the order of these calls.
   *
   * Throws HeadraceError: INVALID_ARGUMENT with the path of the offending value, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED,
   * CANCELLED, CELL_FAILED, UNAVAILABLE (stopped). Whatever it throws, the state is as it was before.
   */
  async predict(inputs: PipelineInputs<P>, options: PredictOptions = {}): Promise<PipelineOutputs<P>> {
    return (await this.predictAny(inputs, options)) as PipelineOutputs<P>;
  }

  /**
   * Starts a driver and waits until it is up.
   * @param ref A name for it, unique in this process.
   * @param driver Its class, or a function that makes one.
   * @param options Some of its parameters.
   * Throws DRIVER_ALREADY_EXISTS, INVALID_ARGUMENT, PORT_IN_USE, and what the driver's own start throws.
   */
  async addDriver<D extends object>(
    ref: string,
    driver: DriverClass<D> | (() => PipelineDriver<D>),
    options: Partial<D> = {},
  ): Promise<DriverProcess<D>> {
    if (this.stopping !== undefined) throw this.stopped();
    for (const known of this.drivers.values()) {
      if (known.ref === ref)
        throw new DriverAlreadyExistsError(`driver '${ref}' is running already (pid ${known.pid})`);
    }
    const pid = this.environment.nextPid();
    const process = new DriverProcess<D>({
      ref,
      pid,
      driver: makeDriver(driver, options),
      inference: this.restricted(),
      allocator: this.environment.allocator,
      log: makeLogger(`driver:${ref}`, this.environment.mode === "debug" ? "debug" : "warn"),
      ended: () => this.drivers.delete(pid),
    });
    this.drivers.set(pid, process);
    await process.start();
    return process;
  }

  /** A driver by ref or pid. Throws DRIVER_NOT_FOUND. */
  getDriver(which: string | number): AnyDriverProcess {
    for (const driver of this.drivers.values()) if (driver.ref === which || driver.pid === which) return driver;
    const names = [...this.drivers.values()].map(({ ref, pid }) => `${ref} (${pid})`).join(", ") || "none";
    throw new DriverNotFoundError(`there is no driver '${which}'; running: ${names}`);
  }

  listDrivers(): AnyDriverProcess[] {
    return [...this.drivers.values()];
  }

  /** Stops a driver. Throws DRIVER_NOT_FOUND. */
  async removeDriver(which: string | number, options?: StopOptions): Promise<void> {
    await this.getDriver(which).stop(options);
  }

  /** Calls `listener` for each state that was evicted, not those ended on request. Returns how to stop that. */
  onEvict(listener: EvictListener): () => void {
    this.evictListeners.add(listener);
    return () => this.evictListeners.delete(listener);
  }

  /** The state of a stream as bytes, between two of its steps. Throws NOT_FOUND, UNAVAILABLE. */
  exportState(stateId: string): Uint8Array {
    this.refuseOver();
    return encodeState(this.name, stateId, this.models, this.executor.states);
  }

  /** Puts an exported state under a state id, in place of what it had. Throws INVALID_ARGUMENT for another model's. */
  importState(stateId: string, state: Uint8Array): void {
    this.refuseOver();
    decodeState(this.name, stateId, state, this.models, this.executor.states);
  }

  /** Frees the state of a stream: now, or after its steps that are under way. */
  dropState(stateId: string): void {
    if (this.isOver) return;
    for (const { engine } of this.models.values()) dropState(engine, stateId);
    this.executor.states.drop(stateId);
  }

  /** Counters of each ONNX cell, by its ref. */
  stats(): Readonly<Record<string, NativeStats>> {
    return Object.fromEntries([...this.models].map(([ref, cell]) => [ref, cell.engine.stats()]));
  }

  /** Stops the drivers, lets the predictions finish, frees the models. The same promise for every caller. */
  stop(options: StopOptions = {}): Promise<void> {
    this.stopping ??= this.shutDown(options);
    return this.stopping;
  }

  private async shutDown(options: StopOptions): Promise<void> {
    const drivers = await Promise.allSettled(this.listDrivers().map((driver) => driver.stop(options)));
    if (this.running.size > 0) await this.whenIdle(options.timeoutMs ?? DEFAULT_GRACE_MILLIS);
    clearInterval(this.sweeper);
    this.isOver = true;
    const models = await Promise.allSettled([...this.models.values()].map((cell) => cell.close(true)));
    this.onStopped();
    const failed = [...drivers, ...models].find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Resolves when no prediction is under way; after the grace time it cancels them, and waits no longer for a cell that does not listen. */
  private whenIdle(graceMillis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const prediction of this.running) prediction.abort();
        setImmediate(resolve);
      }, graceMillis);
      this.idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async predictAny(inputs: unknown, options: PredictOptions): Promise<Readonly<Record<string, unknown>>> {
    if (this.stopping !== undefined && this.drivers.size === 0) throw this.stopped();
    checkOptions(options);
    const prediction = new AbortController();
    const abort = (): void => prediction.abort();
    if (options.signal?.aborted) abort();
    options.signal?.addEventListener("abort", abort, { once: true });
    this.running.add(prediction);
    try {
      return await this.executor.predict(inputs, { ...options, signal: prediction.signal });
    } finally {
      options.signal?.removeEventListener("abort", abort);
      this.running.delete(prediction);
      if (this.running.size === 0) this.idle?.();
    }
  }

  private refuseOver(): void {
    if (this.isOver) throw this.stopped();
  }

  private stopped(): HeadraceError {
    return new HeadraceError("UNAVAILABLE", `process '${this.name}' has been stopped`);
  }

  private restricted(): RestrictedInferenceProcess {
    return {
      name: this.name,
      inputs: this.inputs,
      outputs: this.outputs,
      stateful: this.stateful,
      direct: this.direct,
      predict: (inputs, options = {}) => this.predictAny(inputs, options),
      dropState: (stateId) => this.dropState(stateId),
      stats: () => this.stats(),
    };
  }

  private sweep(): void {
    const evicted = [...this.models.values()].flatMap((cell) => cell.engine.sweep());
    evicted.push(...this.executor.states.sweep());
    for (const { stateId, reason } of evicted) {
      for (const listener of this.evictListeners) listener(stateId, reason);
    }
  }
}

function makeDriver<D extends object>(
  driver: DriverClass<D> | (() => PipelineDriver<D>),
  options: Partial<D>,
): PipelineDriver<D> {
  if (typeof driver !== "function") {
    throw new InvalidArgumentError(
      'expected a driver class or a function that makes a driver, e.g. addDriver("webapi", HttpDriver, { port: 8000 }); drivers are made by the runtime, an instance cannot be added',
      { path: "driver" },
    );
  }
  // Only a class has a prototype that cannot be replaced.
  const isClass = Object.getOwnPropertyDescriptor(driver, "prototype")?.writable === false;
  const made: unknown = isClass ? new (driver as DriverClass<D>)(options) : (driver as () => unknown)();
  if (made instanceof PipelineDriver) return made;
  const what = isClass ? "the class does not extend PipelineDriver" : "the function did not return a PipelineDriver";
  throw new InvalidArgumentError(what, { path: "driver" });
}

function cellParameters(inference: Inference): Map<string, Readonly<Record<string, unknown>>> {
  const parameters = new Map<string, Readonly<Record<string, unknown>>>();
  for (const [ref, cell] of Object.entries(inference.pipeline.cells)) {
    const given = inference.parameters[ref] ?? {};
    const types = cell.kind === "function" ? cell.parameters : {};
    parameters.set(ref, parseValues(types, given, `parameters.${ref}`));
  }
  return parameters;
}

function checkOptions({ timeoutMs, priority, stateId, start, end }: PredictOptions): void {
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    throw new InvalidArgumentError(`expected milliseconds above 0, got ${timeoutMs}`, { path: "timeoutMs" });
  }
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= 255)) {
    throw new InvalidArgumentError(`expected an integer from 0 to 255, got ${priority}`, { path: "priority" });
  }
  if (stateId !== undefined && (typeof stateId !== "string" || stateId === "")) {
    throw new InvalidArgumentError("expected a string that is not empty", { path: "stateId" });
  }
  if (stateId !== undefined && !isWellFormed(stateId)) {
    throw new InvalidArgumentError("has half of a surrogate pair", { path: "stateId" });
  }
  if (stateId === undefined && (start || end)) {
    throw new InvalidArgumentError("start and end need a stateId", { path: start ? "start" : "end" });
  }
}
