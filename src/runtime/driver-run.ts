/** One life of a driver: made, started, running, stopped. A driver that is restarted has several. */
import { type HeadraceError, toHeadraceError } from "../errors.js";
import type { Logger } from "../log.js";
import type { PipelineDriver } from "./driver.js";
import { LeasedResources, type PortAllocator } from "./resources.js";
import type { RestrictedInferenceProcess } from "./restricted.js";
import type { ServiceOffer } from "./services.js";

export interface DriverRunInit<P extends object> {
  readonly driver: PipelineDriver<P>;
  readonly inference: RestrictedInferenceProcess;
  readonly allocator: PortAllocator;
  readonly log: Logger;
}

/** Owns the driver's resources from `start` to the end of `end`. */
export class DriverRun<P extends object> {
  readonly driver: PipelineDriver<P>;
  private resources: LeasedResources | undefined;
  private ending: Promise<HeadraceError | undefined> | undefined;
  /** What `run` failed with, if it did; resolves when it has ended by itself or was stopped. */
  running: Promise<HeadraceError | undefined> = Promise.resolve(undefined);

  constructor(private readonly init: DriverRunInit<P>) {
    this.driver = init.driver;
    this.driver.log = init.log;
  }

  /** When it rejects, everything has been released. */
  async start(): Promise<ServiceOffer[]> {
    const { driver, inference, allocator } = this.init;
    try {
      this.resources = await LeasedResources.lease(allocator, driver.resourcesRequest());
      const offers = await driver.start(inference, this.resources);
      this.running = outcomeOf(driver.run(inference, this.resources));
      return offers;
    } catch (error) {
      await this.end(AbortSignal.abort());
      throw toHeadraceError(error);
    }
  }

  /** Stops it, also after a failure; the same promise for every caller. Resolves with what failed first. Never rejects. */
  end(signal: AbortSignal): Promise<HeadraceError | undefined> {
    this.ending ??= this.stop(signal);
    return this.ending;
  }

  private async stop(signal: AbortSignal): Promise<HeadraceError | undefined> {
    let failure: HeadraceError | undefined;
    try {
      await this.driver.stop(signal);
      failure = await this.running;
    } catch (error) {
      this.init.log.error({ err: error }, "the driver failed to stop");
      failure = toHeadraceError(error);
    }
    this.resources?.release();
    return failure;
  }
}

async function outcomeOf(run: Promise<void>): Promise<HeadraceError | undefined> {
  try {
    await run;
    return undefined;
  } catch (error) {
    return toHeadraceError(error);
  }
}
