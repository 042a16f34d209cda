import { HeadraceError, InvalidArgumentError } from "../errors.js";
import type { Pipeline } from "../pipeline/index.js";
import type { StopOptions } from "./driver-process.js";
import { Inference } from "./inference.js";
import { InferenceProcess } from "./inference-process.js";
import type { RepositoryControl } from "./repository.js";
import { LeasedResources, PortAllocator, type ResourcesRequest } from "./resources.js";

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/**
 * `debug`: everything in the calling thread, one cell after the other, verbose.
 * `local`: models run on the engine's threads where that is faster.
 */
export type RuntimeMode = "debug" | "local";

/**
 * Starts and stops inference processes; owns what they share. Made by `init`.
 *
 * ```ts
 * const runtime = await init("local");
 * const proc = await runtime.startInference(new Inference({ pipeline }));
 * await runtime.stop({ timeoutMs: 5000 });
 * ```
 */
export class Runtime {
  private readonly allocator = new PortAllocator();
  private readonly processes = new Set<InferenceProcess>();
  private lastPid = 0;
  private control: RepositoryControl | undefined;
  private stopping: Promise<void> | undefined;
  /** Ends each wait for a signal. */
  private readonly waits = new Set<() => void>();

  constructor(readonly mode: RuntimeMode) {}

  /**
   * Loads the models of an inference and makes it ready to predict.
   * Throws HeadraceError: MODEL_NOT_FOUND, MODEL_INVALID, PIPELINE_INVALID, INVALID_ARGUMENT, NATIVE_UNAVAILABLE.
   */
  async startInference<P extends Pipeline>(inference: Inference<P>): Promise<InferenceProcess<P>> {
    if (!(inference instanceof Inference)) {
      throw new InvalidArgumentError("expected an Inference, e.g. new Inference({ pipeline })", { path: "inference" });
    }
    this.refuseStopped();
    let started: InferenceProcess<P> | undefined;
    const environment = {
      mode: this.mode,
      allocator: this.allocator,
      repository: () => this.control,
      nextPid: () => ++this.lastPid,
    };
    const forget = (): void => {
      if (started !== undefined) this.processes.delete(started as unknown as InferenceProcess);
    };
    started = await InferenceProcess.start(inference, environment, forget);
    this.processes.add(started as unknown as InferenceProcess);
    if (this.stopping !== undefined) {
      await started.stop();
      this.refuseStopped();
    }
    return started;
  }

  /** The processes that were started and have not stopped, in the order in which they started. */
  listProcesses(): InferenceProcess[] {
    return [...this.processes];
  }

  /**
   * What loads and unloads models for clients that ask a driver to: V2's repository API.
   *
   * ```ts
   * runtime.useRepository({
   *   index: async () => [{ name: "vad", version: "1", state: "READY", reason: "" }],
   *   load: async (name) => console.log(`asked to load ${name}`),
   *   unload: async (name) => console.log(`asked to unload ${name}`),
   * });
   * ```
   */
  useRepository(repository: RepositoryControl): void {
    this.control = repository;
  }

  /** What `useRepository` was given. */
  get repository(): RepositoryControl | undefined {
    return this.control;
  }

  /**
   * Resources as drivers get them, for what serves before there is a process; the caller releases them.
   *
   * @internal
   */
  lease(request: ResourcesRequest): Promise<LeasedResources> {
    return LeasedResources.lease(this.allocator, request);
  }

  /** Stops every process with its drivers. The same promise for every caller. */
  stop(options: StopOptions = {}): Promise<void> {
    this.stopping ??= this.shutDown(options);
    return this.stopping;
  }

  /**
   * Waits for SIGTERM or SIGINT, then stops as `stop` does: what was accepted is answered, the rest refused. A second signal
   * ends the program at once. Resolves also when the runtime is stopped by other means.
   *
   * ```ts
   * await runtime.stopOnSignal({ timeoutMs: 10_000 });
   * ```
   */
  async stopOnSignal(options: StopOptions = {}): Promise<void> {
    await this.untilAsked();
    await this.stop(options);
  }

  /**
   * Resolves at the first SIGTERM or SIGINT, or when the runtime is stopped; from then on signals do what they do by
   * themselves, which is to end the program.
   */
  untilAsked(): Promise<void> {
    if (this.stopping !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        for (const signal of SIGNALS) process.off(signal, done);
        this.waits.delete(done);
        resolve();
      };
      for (const signal of SIGNALS) process.on(signal, done);
      this.waits.add(done);
    });
  }

  private async shutDown(options: StopOptions): Promise<void> {
    for (const done of this.waits) done();
    const outcomes = await Promise.allSettled(this.listProcesses().map((running) => running.stop(options)));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  private refuseStopped(): void {
    if (this.stopping !== undefined) throw new HeadraceError("UNAVAILABLE", "the runtime has been stopped");
  }
}

/**
 * A runtime, which owns nothing until an inference is started in it.
 *
 * ```ts
 * const runtime = await init("debug");
 * console.log(runtime.mode); // debug
 * await runtime.stop();
 * ```
 *
 * @param mode See `RuntimeMode`. Default: "local".
 * @throws InvalidArgumentError for an unknown mode.
 */
export async function init(mode: RuntimeMode = "local"): Promise<Runtime> {
  if (mode !== "debug" && mode !== "local") {
    throw new InvalidArgumentError(`expected "debug" or "local", got ${JSON.stringify(mode)}`, { path: "mode" });
  }
  return new Runtime(mode);
}
