/** One life of a driver: made, started, running, stopped. A driver that is restarted has several. */
import { HeadraceError, toHeadraceError } from "../errors.js";
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
  /** Ends the wait for a driver that does not come up. */
  private readonly givenUp = new AbortController();
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
      if (this.givenUp.signal.aborted) throw notUp();
      const offers = await unlessAborted(driver.start(inference, this.resources), this.givenUp.signal);
      this.running = outcomeOf(driver.run(inference, this.resources));
      return offers;
    } catch (error) {
      await this.end(AbortSignal.abort());
      // Also what it got when it had been stopped.
      this.resources?.release();
      throw toHeadraceError(error);
    }
  }

  /**
   * Stops it, also after a failure; the same promise for every caller. Resolves with what failed first. Never rejects. A driver
   * that is not up yet is left behind with its `start`.
   */
  end(signal: AbortSignal): Promise<HeadraceError | undefined> {
    this.givenUp.abort();
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

/** What the start of a driver comes to; UNAVAILABLE once the signal is aborted. */
function unlessAborted<T>(starting: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(notUp()), { once: true });
    starting.then(resolve, reject);
  });
}

function notUp(): HeadraceError {
  return new HeadraceError("UNAVAILABLE", "the driver was stopped before it was up");
}
