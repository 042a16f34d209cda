/** The drivers of one inference process, by ref and pid. */
import { DriverAlreadyExistsError, DriverNotFoundError, InvalidArgumentError } from "../errors.js";
import type { Logger } from "../log.js";
import { type DriverClass, PipelineDriver } from "./driver.js";
import { type AnyDriverProcess, DriverProcess, type StopOptions } from "./driver-process.js";
import type { PortAllocator } from "./resources.js";
import { type RestartOptions, restartPolicy } from "./restart.js";
import type { RestrictedInferenceProcess } from "./restricted.js";

export interface DriversInit {
  readonly inference: RestrictedInferenceProcess;
  readonly allocator: PortAllocator;
  nextPid(): number;
  /** A log for the driver of a ref. */
  log(ref: string): Logger;
}

export class Drivers {
  private readonly byPid = new Map<number, AnyDriverProcess>();

  constructor(private readonly init: DriversInit) {}

  get size(): number {
    return this.byPid.size;
  }

  /** See `InferenceProcess.addDriver`. */
  async add<D extends object>(
    ref: string,
    driver: DriverClass<D> | ((parameters: Partial<D>) => PipelineDriver<D>),
    options: Partial<D>,
    restart: RestartOptions,
  ): Promise<DriverProcess<D>> {
    for (const known of this.byPid.values()) {
      if (known.ref === ref)
        throw new DriverAlreadyExistsError(`driver '${ref}' is running already (pid ${known.pid})`);
    }
    const pid = this.init.nextPid();
    const process = new DriverProcess<D>({
      ref,
      pid,
      make: makerOf(driver, options),
      restart: restartPolicy(restart),
      inference: this.init.inference,
      allocator: this.init.allocator,
      log: this.init.log(ref),
      ended: () => this.byPid.delete(pid),
    });
    this.byPid.set(pid, process);
    await process.start();
    return process;
  }

  /** A driver by ref or pid. Throws DRIVER_NOT_FOUND. */
  get(which: string | number): AnyDriverProcess {
    for (const driver of this.byPid.values()) if (driver.ref === which || driver.pid === which) return driver;
    const names = this.list().map(({ ref, pid }) => `${ref} (${pid})`);
    throw new DriverNotFoundError(`there is no driver '${which}'; running: ${names.join(", ") || "none"}`);
  }

  list(): AnyDriverProcess[] {
    return [...this.byPid.values()];
  }

  /** Stops all of them; what each came to. */
  stopAll(options: StopOptions): Promise<PromiseSettledResult<void>[]> {
    return Promise.allSettled(this.list().map((driver) => driver.stop(options)));
  }
}

/** Makes the driver, first with the options given, later with the parameters that the one before had. */
function makerOf<D extends object>(
  driver: DriverClass<D> | ((parameters: Partial<D>) => PipelineDriver<D>),
  options: Partial<D>,
): (parameters?: D) => PipelineDriver<D> {
  if (typeof driver !== "function") {
    throw new InvalidArgumentError(
      'expected a driver class or a function that makes a driver, e.g. addDriver("webapi", HttpDriver, { port: 8000 }); drivers are made by the runtime, an instance cannot be added',
      { path: "driver" },
    );
  }
  // Only a class has a prototype that cannot be replaced.
  const isClass = Object.getOwnPropertyDescriptor(driver, "prototype")?.writable === false;
  return (parameters) => {
    const given = parameters ?? options;
    const made: unknown = isClass
      ? new (driver as DriverClass<D>)(given)
      : (driver as (parameters: Partial<D>) => unknown)(given);
    if (made instanceof PipelineDriver) return made;
    const what = isClass ? "the class does not extend PipelineDriver" : "the function did not return a PipelineDriver";
    throw new InvalidArgumentError(what, { path: "driver" });
  };
}
