import type { NativeStats } from "../engine/surface.js";
import type { StepInfo } from "../engine/taps.js";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../errors.js";
import { type Logger, makeLogger } from "../log.js";
import type { Pipeline, PipelineInputs, PipelineOutputs } from "../pipeline/index.js";
import { checkTypes } from "../pipeline/index.js";
import { shown } from "../shown.js";
import type { Types } from "../types/index.js";
import { Cancellation } from "./cancellation.js";
import { Crowd } from "./crowd.js";
import { type DirectModel, directModel } from "./direct-model.js";
import type { DriverClass, DriverMetric, PipelineDriver } from "./driver.js";
import type { AnyDriverProcess, DriverProcess, StopOptions } from "./driver-process.js";
import { Drivers } from "./drivers.js";
import { Executor } from "./executor.js";
import type { Inference } from "./inference.js";
import { LoadedCells } from "./loaded-cells.js";
import { checkPredictOptions } from "./predict-options.js";
import type { RepositoryControl } from "./repository.js";
import { RequestCounters, type RequestStatistics } from "./request-counters.js";
import type { PortAllocator } from "./resources.js";
import type { RestartOptions } from "./restart.js";
import type { Prediction, PredictOptions, RestrictedInferenceProcess } from "./restricted.js";
import { decodeState, dropState, encodeState } from "./state-transfer.js";
import { StepTaps, type TappedPrediction } from "./step-taps.js";
import { unharmed } from "./unharmed.js";

/** How the runtime wants its processes to run. */
export interface ProcessEnvironment {
  readonly mode: "debug" | "local";
  readonly allocator: PortAllocator;
  /** What loads and unloads models, as of now. */
  readonly repository: () => RepositoryControl | undefined;
  nextPid(): number;
}

/** Told of a state that was dropped unasked: "ttl", it was not used for `stateTtlSeconds`; "lru", it made room for another one. */
export type EvictListener = (stateId: string, reason: "ttl" | "lru") => void;

const SWEEP_MILLIS = 1000;
const DEFAULT_GRACE_MILLIS = 10_000;
const MAX_REPLICAS = 256;

/**
 * A running inference: predicts, and has drivers. Made by `runtime.startInference`.
 *
 * ```ts
 * const proc = await runtime.startInference(new Inference({ pipeline }));
 * const { sum } = await proc.predict({ a: 1, b: 2 }, { timeoutMs: 100 });
 * await proc.stop();
 * ```
 */
export class InferenceProcess<P extends Pipeline = Pipeline> {
  readonly pid: number;
  readonly name: string;
  /** The inference's version, as clients know it. */
  readonly version: string;
  /** The types of the pipeline's inputs, those of models included. */
  readonly inputs: Types;
  readonly outputs: Types;
  readonly stateful: boolean;
  private readonly inference: Pick<Inference, "requestPolicy" | "modelConfig">;
  private readonly executor: Executor;
  private readonly direct: DirectModel | undefined;
  private readonly drivers: Drivers;
  private readonly taps: StepTaps;
  private readonly counters = new RequestCounters();
  private readonly stallNanos: number;
  private readonly evictListeners = new Set<EvictListener>();
  private readonly sweeper: NodeJS.Timeout;
  private readonly log: Logger;
  /** The predictions under way. */
  private readonly running = new Crowd<Cancellation>();
  private idle: (() => void) | undefined;
  private stopping: Promise<void> | undefined;
  /** The models are being closed, or have been. */
  private isOver = false;

  private constructor(
    inference: Inference<P>,
    private readonly cells: LoadedCells,
    private readonly environment: ProcessEnvironment,
    private readonly onStopped: () => void,
  ) {
    const { pipeline } = inference;
    const { models, functions, parameters } = cells;
    this.pid = environment.nextPid();
    this.name = pipeline.name;
    this.version = inference.version;
    this.stallNanos = inference.stallSeconds * 1e9;
    this.inference = inference;
    this.log = makeLogger(`process:${pipeline.name}`, environment.mode === "debug" ? "debug" : "warn");
    const ports = checkTypes(pipeline, new Map([...models].map(([ref, cell]) => [ref, cell.ports])));
    this.inputs = ports.inputs;
    this.outputs = ports.outputs;
    this.stateful =
      [...models.values()].some((cell) => cell.engine.description.stateful) ||
      [...functions.values()].some(({ cell }) => Object.keys(cell.state).length > 0);
    // In debug mode every step goes through the executor, which logs it.
    this.direct = environment.mode === "debug" ? undefined : directModel(pipeline, models);
    this.taps = new StepTaps(this.direct, this.outputs, this.stateful, () => this.sweep());
    this.executor = new Executor({
      pipeline,
      models,
      functions,
      inputs: this.inputs,
      parameters,
      limits: { ttlMillis: inference.stateTtlSeconds * 1000, maxStates: inference.maxStates, evict: inference.evict },
      log: this.log,
      sequential: environment.mode === "debug",
    });
    this.drivers = new Drivers({
      inference: this.restricted(),
      allocator: environment.allocator,
      nextPid: () => environment.nextPid(),
      log: (ref) => makeLogger(`driver:${ref}`, environment.mode === "debug" ? "debug" : "warn"),
    });
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MILLIS);
    this.sweeper.unref();
  }

  /**
   * For the runtime: loads the models and checks the pipeline against them. When it rejects, nothing is left behind.
   *
   * @internal
   */
  static async start<P extends Pipeline>(
    inference: Inference<P>,
    environment: ProcessEnvironment,
    onStopped: () => void,
  ): Promise<InferenceProcess<P>> {
    const cells = await LoadedCells.load(inference, environment.mode);
    try {
      return new InferenceProcess(inference, cells, environment, onStopped);
    } catch (error) {
      await cells.close(false).catch(() => {});
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
    return (await this.begin(inputs, options).outputs) as PipelineOutputs<P>;
  }

  /**
   * Starts a driver and waits until it is up.
   * @param ref A name for it, unique in this process.
   * @param driver Its class, or a function that makes one of the parameters it is given: at first `options`, for a restart
   *   those that the driver had.
   * @param options Some of its parameters.
   * @param restart What happens when it fails while it runs. Default: it stays `failed`.
   * Throws DRIVER_ALREADY_EXISTS, INVALID_ARGUMENT, PORT_IN_USE, and what the driver's own start throws.
   */
  async addDriver<D extends object>(
    ref: string,
    driver: DriverClass<D> | ((parameters: Partial<D>) => PipelineDriver<D>),
    options: Partial<D> = {},
    restart: RestartOptions = {},
  ): Promise<DriverProcess<D>> {
    if (this.stopping !== undefined) throw this.stopped();
    return this.drivers.add(ref, driver, options, restart);
  }

  /** A driver by ref or pid. Throws DRIVER_NOT_FOUND. */
  getDriver(which: string | number): AnyDriverProcess {
    return this.drivers.get(which);
  }

  /** The drivers that were added and have not ended, in the order in which they were added. */
  listDrivers(): AnyDriverProcess[] {
    return this.drivers.list();
  }

  /** Stops a driver. Throws DRIVER_NOT_FOUND. */
  async removeDriver(which: string | number, options?: StopOptions): Promise<void> {
    await this.drivers.get(which).stop(options);
  }

  /** The parameters of a function cell as they are now. Throws INVALID_ARGUMENT when there is no such cell. */
  getParameters(cell: string): Readonly<Record<string, unknown>> {
    return this.cells.parameters.of(cell);
  }

  /**
   * Changes parameters of a function cell, all given ones or none; the others stay. Steps that have begun go on with the old
   * values, those that begin later see the new ones, in every cell; states stay as they are.
   *
   * ```ts
   * proc.setParameters("my-cell", { adder: 3 });
   * ```
   *
   * Throws INVALID_ARGUMENT when there is no such cell or parameter, or a value does not fit.
   */
  setParameters(cell: string, parameters: Readonly<Record<string, unknown>>): void {
    this.refuseOver();
    this.cells.parameters.change(cell, parameters);
  }

  /**
   * Changes how many batches of each model may run at the same time, while it runs: each replica is a thread over the same
   * loaded model. A model that runs on the JavaScript thread leaves it for 2 or more, and comes back for 1.
   *
   * @param cell Only this ONNX cell's. Default: those of all.
   * Throws INVALID_ARGUMENT when there is no such cell, in `debug` mode, or for a number that is none.
   */
  async setReplicas(replicas: number, cell?: string): Promise<void> {
    this.refuseOver();
    if (!Number.isSafeInteger(replicas) || replicas < 1 || replicas > MAX_REPLICAS) {
      const message = `expected an integer from 1 to ${MAX_REPLICAS}, got ${shown(replicas)}`;
      throw new InvalidArgumentError(message, { path: "replicas" });
    }
    if (this.environment.mode === "debug") {
      throw new InvalidArgumentError('a runtime made with init("debug") runs everything in the calling thread', {
        path: "replicas",
      });
    }
    const known = this.cells.models;
    const models = cell === undefined ? [...known.values()] : [known.get(cell)];
    await Promise.all(
      models.map((model) => {
        if (model !== undefined) return model.engine.setReplicas(replicas);
        const names = [...known.keys()].join(", ") || "none";
        throw new InvalidArgumentError(`there is no such ONNX cell; there are ${names}`, { path: "cell" });
      }),
    );
  }

  /** Calls `listener` for each state that was evicted, not those ended on request. Returns how to stop that. */
  onEvict(listener: EvictListener): () => void {
    this.evictListeners.add(listener);
    return () => this.evictListeners.delete(listener);
  }

  /** The state of a stream as bytes, between two of its steps. Throws NOT_FOUND, UNAVAILABLE. */
  exportState(stateId: string): Uint8Array {
    this.refuseOver();
    return encodeState(this.name, stateId, this.cells.models, this.executor.states);
  }

  /** Puts an exported state under a state id, in place of what it had. Throws INVALID_ARGUMENT for another model's. */
  importState(stateId: string, state: Uint8Array): void {
    this.refuseOver();
    decodeState(this.name, stateId, state, this.cells.models, this.executor.states);
  }

  /** Frees the state of a stream: now, or after its steps that are under way. */
  dropState(stateId: string): void {
    if (this.isOver) return;
    // In all cells at once: a step that is between two of them would find one of its states gone.
    this.executor.betweenSteps(stateId, () => this.dropNow(stateId));
    this.taps.ended(stateId, "end");
  }

  private dropNow(stateId: string): void {
    if (this.isOver) return;
    for (const { engine } of this.cells.models.values()) dropState(engine, stateId);
    this.executor.states.drop(stateId);
  }

  /** Counters of each ONNX cell, by its ref. */
  stats(): Readonly<Record<string, NativeStats>> {
    return Object.fromEntries([...this.cells.models].map(([ref, cell]) => [ref, cell.engine.stats()]));
  }

  /** How the requests of the process ended and how long they took, whichever way they came. */
  requests(): RequestStatistics {
    return this.counters.read(this.executor.model?.engine.stats());
  }

  /** Stops the drivers, lets the predictions finish, frees the models. The same promise for every caller. */
  stop(options: StopOptions = {}): Promise<void> {
    this.stopping ??= this.shutDown(options);
    return this.stopping;
  }

  private async shutDown(options: StopOptions): Promise<void> {
    const drivers = await this.drivers.stopAll(options);
    if (this.running.size > 0) await this.whenIdle(options.timeoutMs ?? DEFAULT_GRACE_MILLIS);
    clearInterval(this.sweeper);
    this.isOver = true;
    const cells = await Promise.allSettled([this.cells.close(true)]);
    this.onStopped();
    const failed = [...drivers, ...cells].find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Resolves when no prediction is under way; after the grace time it cancels them, and waits no longer for a cell that does not listen. */
  private whenIdle(graceMillis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const prediction of this.running.all()) prediction.cancel();
        setImmediate(resolve);
      }, graceMillis);
      this.idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private begin(inputs: unknown, options: PredictOptions, info?: StepInfo): Prediction {
    const cancellation = new Cancellation();
    return { outputs: this.run(inputs, options, cancellation, info), cancel: () => cancellation.cancel() };
  }

  private async run(
    inputs: unknown,
    options: PredictOptions,
    cancellation: Cancellation,
    info: StepInfo | undefined,
  ): Promise<Readonly<Record<string, unknown>>> {
    if (this.stopping !== undefined && this.drivers.size === 0) throw this.stopped();
    const since = performance.now();
    let stopFollowing = nothing;
    let tapped: TappedPrediction | undefined;
    try {
      checkPredictOptions(options);
      stopFollowing = cancellation.follow(options);
      this.running.add(cancellation);
      tapped = this.taps.predicting(options, info);
      const outputs = await this.executor.predict(inputs, options, cancellation);
      this.counters.succeeded(performance.now() - since, cancellation.waitedMillis);
      tapped?.succeeded(outputs);
      return outputs;
    } catch (error) {
      this.counters.failed(toHeadraceError(error).code, performance.now() - since);
      tapped?.failed();
      throw error;
    } finally {
      stopFollowing();
      this.running.delete(cancellation);
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
    const { environment } = this;
    const { requestPolicy, modelConfig } = this.inference;
    return {
      name: this.name,
      version: this.version,
      inputs: this.inputs,
      outputs: this.outputs,
      stateful: this.stateful,
      requestPolicy,
      modelConfig,
      direct: this.direct,
      predict: (inputs, options = {}) => this.begin(inputs, options).outputs,
      begin: (inputs, options = {}, info) => this.begin(inputs, options, info),
      subscribe: (stateId, listener) => this.taps.follow(stateId, listener),
      onEvict: (listener) => this.onEvict(listener),
      dropState: (stateId) => this.dropState(stateId),
      get repository() {
        return environment.repository();
      },
      stats: () => this.stats(),
      requests: () => this.requests(),
      refused: (code) => this.counters.failed(code, 0),
      functionStates: () => ({ live: this.executor.states.size, evicted: this.executor.states.evictions }),
      isProgressing: () => this.isProgressing(),
      drivers: () =>
        this.drivers
          .list()
          .map((driver) => ({ ref: driver.ref, status: driver.status, metrics: this.metricsOf(driver) })),
    };
  }

  /** None where the driver cannot say: that must not cost the metrics of the others. */
  private metricsOf(driver: AnyDriverProcess): readonly DriverMetric[] {
    try {
      return driver.metrics();
    } catch (err) {
      this.log.warn({ err, driver: driver.ref }, "a driver's metrics cannot be read");
      return [];
    }
  }

  private isProgressing(): boolean {
    for (const { engine } of this.cells.models.values()) if (engine.stalledNanos() > this.stallNanos) return false;
    return true;
  }

  private sweep(): void {
    const evicted = [...this.cells.models.values()].flatMap((cell) => cell.engine.sweep());
    evicted.push(...this.executor.states.sweep());
    for (const { stateId, reason } of evicted) {
      this.taps.ended(stateId, reason);
      for (const listener of this.evictListeners) unharmed(() => listener(stateId, reason));
    }
  }
}

const nothing = (): void => {};
