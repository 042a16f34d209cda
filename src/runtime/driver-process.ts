import { EventEmitter } from "node:events";
import { type HeadraceError, InvalidArgumentError, ServiceNotFoundError, toHeadraceError } from "../errors.js";
import type { Logger } from "../log.js";
import type { PipelineDriver } from "./driver.js";
import { LeasedResources, type PortAllocator } from "./resources.js";
import type { RestrictedInferenceProcess } from "./restricted.js";
import { type ServiceRecord, serviceRecord } from "./services.js";

export type DriverStatus = "starting" | "running" | "stopping" | "stopped" | "failed";

export interface StopOptions {
  /** How long the driver may finish what it took before it drops it. Default: 10000. */
  timeoutMs?: number;
}

/** A driver process without the type of its parameters. */
// biome-ignore lint/suspicious/noExplicitAny: parameters are contravariant, so only `any` holds every driver
export type AnyDriverProcess = DriverProcess<any>;

export interface DriverProcessInit<P extends object> {
  readonly ref: string;
  readonly pid: number;
  readonly driver: PipelineDriver<P>;
  readonly inference: RestrictedInferenceProcess;
  readonly allocator: PortAllocator;
  readonly log: Logger;
  /** Called once when the driver has ended, however it did. */
  readonly ended: () => void;
}

/** The handle of a running driver. Emits `status` with each new status. */
export class DriverProcess<P extends object> extends EventEmitter {
  readonly ref: string;
  readonly pid: number;
  private current: DriverStatus = "starting";
  private failure: HeadraceError | undefined;
  private services: readonly ServiceRecord[] = [];
  private resources: LeasedResources | undefined;
  private starting: Promise<void> = Promise.resolve();
  /** What `run` failed with, if it did. */
  private running: Promise<HeadraceError | undefined> = Promise.resolve(undefined);
  private stopping: Promise<void> | undefined;
  private ending: Promise<void> | undefined;

  constructor(private readonly init: DriverProcessInit<P>) {
    super();
    this.ref = init.ref;
    this.pid = init.pid;
    init.driver.log = init.log;
  }

  get status(): DriverStatus {
    return this.current;
  }

  /** Why it failed, where it did. */
  get error(): HeadraceError | undefined {
    return this.failure;
  }

  /** For the runtime: brings the driver up. When this rejects, everything has been released. */
  start(): Promise<void> {
    this.starting = this.bringUp();
    return this.starting;
  }

  private async bringUp(): Promise<void> {
    const { driver, inference, allocator } = this.init;
    try {
      this.resources = await LeasedResources.lease(allocator, driver.resourcesRequest());
      const offers = await driver.start(inference, this.resources);
      this.services = offers.map((offer) => serviceRecord(this.ref, this.pid, offer));
      this.become("running");
      this.running = this.watch(driver.run(inference, this.resources));
    } catch (error) {
      // Whoever starts it is told: not a matter for the log.
      this.ending = this.end(AbortSignal.abort(), toHeadraceError(error));
      await this.ending;
      throw this.failure ?? error;
    }
  }

  listServices(): readonly ServiceRecord[] {
    return this.services;
  }

  /** Throws SERVICE_NOT_FOUND. */
  getService(name: string): ServiceRecord {
    const found = this.services.find((service) => service.name === name);
    if (found !== undefined) return found;
    const names = this.services.map((service) => service.name).join(", ") || "none";
    throw new ServiceNotFoundError(`driver '${this.ref}' offers no service '${name}'; it offers ${names}`);
  }

  getParameters(): P {
    return this.init.driver.getParameters();
  }

  /** All parameters, some of them changed. Throws INVALID_ARGUMENT and changes nothing where one does not fit. */
  async setParameters(parameters: P): Promise<void> {
    if (this.current !== "running") {
      throw new InvalidArgumentError(`driver '${this.ref}' is ${this.current}; parameters can be set while it runs`);
    }
    await this.init.driver.setParameters(parameters);
  }

  /** What the driver has done so far, as it counts it; {} where it does not. Also after its end. */
  statistics(): Readonly<Record<string, unknown>> {
    return this.init.driver.statistics();
  }

  /** Stops the driver; the same promise for every caller. Resolves also where the driver had failed. */
  stop(options: StopOptions = {}): Promise<void> {
    this.stopping ??= this.shutDown(options.timeoutMs ?? 10_000);
    return this.stopping;
  }

  private async shutDown(timeoutMs: number): Promise<void> {
    // A driver that is still coming up is stopped when it is up, or has failed by itself.
    await this.starting.catch(() => {});
    if (this.ending === undefined) {
      this.become("stopping");
      this.ending = this.end(AbortSignal.timeout(timeoutMs), undefined);
    }
    await this.ending;
  }

  /** Follows `run` to its end, without rejecting: by itself it ends the driver, well or badly. */
  private async watch(run: Promise<void>): Promise<HeadraceError | undefined> {
    let failure: HeadraceError | undefined;
    try {
      await run;
    } catch (error) {
      failure = toHeadraceError(error);
    }
    if (this.ending === undefined) {
      if (failure !== undefined) this.init.log.error({ err: failure }, `driver '${this.ref}' failed`);
      this.ending = this.end(AbortSignal.abort(), failure);
    }
    return failure;
  }

  /** Called once, whatever ends the driver. Never rejects. */
  private async end(signal: AbortSignal, why: HeadraceError | undefined): Promise<void> {
    let failure = why;
    try {
      await this.init.driver.stop(signal);
      failure ??= await this.running;
    } catch (error) {
      this.init.log.error({ err: error }, `driver '${this.ref}' failed to stop`);
      failure ??= toHeadraceError(error);
    }
    this.resources?.release();
    this.failure = failure;
    this.become(failure === undefined ? "stopped" : "failed");
    this.init.ended();
  }

  private become(status: DriverStatus): void {
    this.current = status;
    this.init.log.info({ pid: this.pid, status }, "driver");
    this.emit("status", status);
  }
}
