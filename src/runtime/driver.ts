import type { Logger } from "../log.js";
import type { DriverResources, ResourcesRequest } from "./resources.js";
import type { RestrictedInferenceProcess } from "./restricted.js";
import type { ServiceOffer } from "./services.js";

/**
 * Drives an inference process: feeds the virtual source, takes from the virtual sink. Only a runtime instantiates one:
 * `proc.addDriver("ref", MyDriver, options)`.
 *
 * Life: constructed → `start` (services come up; `addDriver` waits for it) → `run` (until stopped) → `stop`.
 *
 * ```ts
 * import { setTimeout as delay } from "node:timers/promises";
 *
 * class Ticker extends PipelineDriver {
 *   readonly #over = new AbortController();
 *   async run(inference: RestrictedInferenceProcess) {
 *     const isDue = () => delay(1000, true, { signal: this.#over.signal }).catch(() => false);
 *     while (await isDue()) await inference.predict(fakeValues(inference.inputs));
 *   }
 *   async stop() {
 *     this.#over.abort();
 *   }
 * }
 * await proc.addDriver("ticker", Ticker);
 * ```
 *
 * @typeParam P The parameters, all of them; what `getParameters` gives and `setParameters` takes.
 */
export abstract class PipelineDriver<P extends object = Record<string, never>> {
  /** What the driver logs with; set by the runtime before `start`. */
  log: Logger | undefined;

  /** @param options Some of the parameters; the driver fills in the others' defaults and validates all. */
  constructor(protected readonly options: Partial<P>) {}

  /** What the driver needs: ports, by name. Default: nothing. */
  resourcesRequest(): ResourcesRequest {
    return {};
  }

  /** Brings up what others can reach, and says what that is. Default: nothing. */
  async start(_inference: RestrictedInferenceProcess, _resources: DriverResources): Promise<ServiceOffer[]> {
    return [];
  }

  /** Works until `stop` was called. An error thrown makes the driver `failed`. */
  abstract run(inference: RestrictedInferenceProcess, resources: DriverResources): Promise<void>;

  /**
   * Ends `run`: takes nothing new, finishes what it took, frees everything. Called once, also after a failure.
   * @param signal Aborted when the time for finishing is over: then drop what is left.
   */
  abstract stop(signal: AbortSignal): Promise<void>;

  /** The parameters as they are now. Default: the options as given. */
  getParameters(): P {
    return { ...this.options } as P;
  }

  /** Changes parameters while running, all or none. Throws InvalidArgumentError. Default: none can be changed. */
  async setParameters(_parameters: P): Promise<void> {
    const { InvalidArgumentError } = await import("../errors.js");
    throw new InvalidArgumentError("this driver has no parameters that can be changed while it runs");
  }

  /**
   * Its part of `GET /metrics`: what it has done and does now, as numbers. Cheap to make. Default: nothing.
   *
   * ```ts
   * class Camera extends PipelineDriver {
   *   frames = 0;
   *   async run() {}
   *   async stop() {}
   *   override metrics(): DriverMetric[] {
   *     return [{ name: "frames", type: "counter", help: "Frames read.", value: this.frames, labels: { camera: "door" } }];
   *   }
   * }
   * ```
   */
  metrics(): readonly DriverMetric[] {
    return [];
  }

  /** What it has done so far, for people: plain JSON, cheap to make, also after its end. Default: nothing. */
  statistics(): Readonly<Record<string, unknown>> {
    return {};
  }
}

/**
 * One number of a driver, exported as `headrace_driver_{name}`, for counters with `_total` behind it, under the labels `model`,
 * `version`, `driver` and its own.
 */
export interface DriverMetric {
  /** In snake_case, with its unit at the end where it has one: `frames`, `open_files`, `read_bytes`. */
  readonly name: string;
  /** A counter only grows while the driver lives; a gauge is as of now. */
  readonly type: "counter" | "gauge";
  /** A sentence for people. */
  readonly help: string;
  readonly value: number | bigint;
  /** Default: none. Their values should be few: each combination is a time series. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A driver's class, as `addDriver` takes it. */
export type DriverClass<P extends object> = new (options: Partial<P>) => PipelineDriver<P>;
