import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type HeadraceError, InvalidArgumentError, ServiceNotFoundError, toHeadraceError } from "../errors.js";
import type { Logger } from "../log.js";
import type { DriverMetric, PipelineDriver } from "./driver.js";
import { DriverRun } from "./driver-run.js";
import type { PortAllocator } from "./resources.js";
import type { RestartPolicy } from "./restart.js";
import type { RestrictedInferenceProcess } from "./restricted.js";
import { type ServiceRecord, serviceRecord } from "./services.js";
import { unharmed } from "./unharmed.js";

/**
 * Where a driver is in its life: coming up (again, where it is restarted), working, finishing what it took, ended as asked or
 * by itself, ended by an error.
 */
export type DriverStatus = "starting" | "running" | "stopping" | "stopped" | "failed";

/** How something that runs is stopped. */
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
  /** Makes the driver; again, with the parameters it had, for a restart. */
  readonly make: (parameters?: P) => PipelineDriver<P>;
  readonly restart: RestartPolicy;
  readonly inference: RestrictedInferenceProcess;
  readonly allocator: PortAllocator;
  readonly log: Logger;
  /** Called once when the driver has ended for good, however it did. */
  readonly ended: () => void;
}

/**
 * The handle of a running driver. Emits `status` with each new status; a driver that is restarted goes back to `starting`.
 *
 * ```ts
 * const web = await proc.addDriver("webapi", HttpDriver, { port: 0 });
 * web.on("status", (status) => console.log(web.ref, status));
 * await web.stop();
 * ```
 */
export class DriverProcess<P extends object> extends EventEmitter {
  readonly ref: string;
  readonly pid: number;
  private current: DriverStatus = "starting";
  private failure: HeadraceError | undefined;
  private services: readonly ServiceRecord[] = [];
  private run: DriverRun<P>;
  private starting: Promise<void> = Promise.resolve();
  /** Resolves when the driver has ended for good. */
  private life: Promise<void> = Promise.resolve();
  private stopping: Promise<void> | undefined;
  /** Ends the wait before a restart. */
  private readonly stopAsked = new AbortController();

  /**
   * Throws what making the driver throws.
   *
   * @internal
   */
  constructor(private readonly init: DriverProcessInit<P>) {
    super();
    this.ref = init.ref;
    this.pid = init.pid;
    this.run = this.made(init.make());
  }

  get status(): DriverStatus {
    return this.current;
  }

  /** Why it failed: for good, or the last time that it was restarted. */
  get error(): HeadraceError | undefined {
    return this.failure;
  }

  /** For the runtime: brings the driver up. When this rejects, everything has been released. */
  start(): Promise<void> {
    this.starting = this.firstStart();
    return this.starting;
  }

  /** What the driver offers, with addresses; none before it is up. */
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

  /** The parameters as they are now, defaults filled in where the driver does so. */
  getParameters(): P {
    return this.run.driver.getParameters();
  }

  /** All parameters, some of them changed. Throws INVALID_ARGUMENT and changes nothing where one does not fit. */
  async setParameters(parameters: P): Promise<void> {
    if (this.current !== "running") {
      throw new InvalidArgumentError(`driver '${this.ref}' is ${this.current}; parameters can be set while it runs`);
    }
    await this.run.driver.setParameters(parameters);
  }

  /** Resolves when the driver has ended for good, by itself or because it was stopped; rejects with what it failed with. */
  async ended(): Promise<void> {
    await this.starting;
    await this.life;
    if (this.current === "failed") throw this.failure;
  }

  /** What the driver has done so far, as it counts it; {} where it does not. Also after its end. */
  statistics(): Readonly<Record<string, unknown>> {
    return this.run.driver.statistics();
  }

  /** Its part of `GET /metrics`, as it counts it; [] where it does not. */
  metrics(): readonly DriverMetric[] {
    return this.run.driver.metrics();
  }

  /** Stops the driver; the same promise for every caller. Resolves also where the driver had failed. */
  stop(options: StopOptions = {}): Promise<void> {
    this.stopping ??= this.shutDown(options.timeoutMs ?? 10_000);
    return this.stopping;
  }

  private async shutDown(timeoutMs: number): Promise<void> {
    this.stopAsked.abort();
    // Not AbortSignal.timeout, which lets the program end before the time is over.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    // A driver that is still coming up is stopped when it is up, or has failed by itself, or does neither in time.
    late.signal.addEventListener("abort", () => {
      if (this.current === "starting") void this.run.end(late.signal);
    });
    await this.starting.catch(() => {});
    if (this.current === "running") {
      this.become("stopping");
      await this.run.end(late.signal);
    }
    clearTimeout(timer);
    await this.life;
  }

  private made(driver: PipelineDriver<P>): DriverRun<P> {
    const { inference, allocator, log } = this.init;
    return new DriverRun({ driver, inference, allocator, log });
  }

  private async firstStart(): Promise<void> {
    try {
      await this.bringUp();
    } catch (error) {
      // Whoever starts it is told: not a matter for the log.
      this.over(toHeadraceError(error));
      throw error;
    }
    this.life = this.live();
  }

  private async bringUp(): Promise<void> {
    const offers = await this.run.start();
    this.services = offers.map((offer) => serviceRecord(this.ref, this.pid, offer));
    this.become("running");
  }

  /** Follows the driver to its end, through all its restarts. Never rejects. */
  private async live(): Promise<void> {
    for (;;) {
      const since = performance.now();
      const failure = (await this.run.running) ?? (await this.run.end(AbortSignal.abort()));
      await this.run.end(AbortSignal.abort());
      if (failure === undefined || this.stopAsked.signal.aborted) return this.over(failure);
      this.init.log.error({ err: failure }, `driver '${this.ref}' failed`);
      if (!(await this.startAgain(failure, performance.now() - since))) return this.over(this.failure);
    }
  }

  /** Whether it is up again. */
  private async startAgain(why: HeadraceError, ranMillis: number): Promise<boolean> {
    this.failure = why;
    let ran = ranMillis;
    for (;;) {
      const wait = this.init.restart.afterFailure(ran);
      if (wait === undefined) return false;
      ran = 0;
      this.become("starting");
      // Rejects when the driver is asked to stop, which is all that matters here.
      await sleep(wait, undefined, { signal: this.stopAsked.signal }).catch(() => {});
      if (this.stopAsked.signal.aborted) return false;
      try {
        this.run = this.made(this.init.make(this.run.driver.getParameters()));
        this.starting = this.bringUp();
        await this.starting;
        return true;
      } catch (error) {
        this.failure = toHeadraceError(error);
        this.init.log.error({ err: error }, `driver '${this.ref}' could not be started again`);
      }
    }
  }

  private over(failure: HeadraceError | undefined): void {
    this.failure = failure;
    this.become(failure === undefined ? "stopped" : "failed");
    this.init.ended();
  }

  private become(status: DriverStatus): void {
    this.current = status;
    this.init.log.info({ pid: this.pid, status }, "driver");
    // A listener that throws must not keep the driver from what comes next, such as its end.
    unharmed(() => this.emit("status", status));
  }
}
