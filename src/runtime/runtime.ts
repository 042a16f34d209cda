import { HeadraceError, InvalidArgumentError } from "../errors.js";
import type { Pipeline } from "../pipeline/index.js";
import type { StopOptions } from "./driver-process.js";
import { Inference } from "./inference.js";
import { InferenceProcess } from "./inference-process.js";
import { PortAllocator } from "./resources.js";

/**
 * `debug`: everything in the calling thread, one cell after the other, verbose.
 * `local`: models run on the engine's threads where that is faster.
 */
export type RuntimeMode = "debug" | "local";

/** Starts and stops inference processes; owns what they share. Made by `init`. */
export class Runtime {
  private readonly allocator = new PortAllocator();
  private readonly processes = new Set<InferenceProcess>();
  private lastPid = 0;
  private stopping: Promise<void> | undefined;

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
    let process: InferenceProcess<P> | undefined;
    const environment = { mode: this.mode, allocator: this.allocator, nextPid: () => ++this.lastPid };
    const forget = (): void => {
      if (process !== undefined) this.processes.delete(process as unknown as InferenceProcess);
    };
    process = await InferenceProcess.start(inference, environment, forget);
    this.processes.add(process as unknown as InferenceProcess);
    if (this.stopping !== undefined) {
      await process.stop();
      this.refuseStopped();
    }
    return process;
  }

  listProcesses(): InferenceProcess[] {
    return [...this.processes];
  }

  /** Stops every process with its drivers. The same promise for every caller. */
  stop(options: StopOptions = {}): Promise<void> {
    this.stopping ??= this.shutDown(options);
    return this.stopping;
  }

  private async shutDown(options: StopOptions): Promise<void> {
    const outcomes = await Promise.allSettled(this.listProcesses().map((process) => process.stop(options)));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  private refuseStopped(): void {
    if (this.stopping !== undefined) throw new HeadraceError("UNAVAILABLE", "the runtime has been stopped");
  }
}

/** A runtime. Throws INVALID_ARGUMENT for an unknown mode. */
export async function init(mode: RuntimeMode = "local"): Promise<Runtime> {
  if (mode !== "debug" && mode !== "local") {
    throw new InvalidArgumentError(`expected "debug" or "local", got ${JSON.stringify(mode)}`, { path: "mode" });
  }
  return new Runtime(mode);
}
