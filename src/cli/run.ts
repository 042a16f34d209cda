import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { CAC } from "cac";
import { ConfigInvalidError, loadConfig, type ResolvedConfig, type ResolvedDriver } from "../config/index.js";
import { toHeadraceError } from "../errors.js";
import { type AnyDriverProcess, type InferenceProcess, init } from "../runtime/index.js";
import { addressText, serviceUrl } from "./addresses.js";
import { numberOf } from "./numbers.js";
import { bold, red, table } from "./style.js";

interface RunOptions {
  check?: boolean;
  json?: boolean;
  grace: string;
}

/** Milliseconds that a driver's leftovers may keep the command alive once everything has been stopped. */
const LEFTOVER_MILLIS = 2000;

export function registerRun(cli: CAC): void {
  cli
    .command("run [file]", "Run the pipeline and drivers of a file (default: headrace.yaml)")
    .option("--check", "Only check the file and load what it names; start nothing")
    .option("--json", "Print one JSON object a line: what started, what ended, what is wrong")
    .option("--grace <s>", "Seconds to finish what was taken after SIGTERM or Ctrl-C", { default: "10" })
    .example("  headrace run                       headrace.yaml of the working directory")
    .example("  headrace run --check edge.yaml")
    .example("  HTTP_PORT=9000 headrace run        for a file that takes its port from the environment")
    .action(run);
}

/** Says what happens, to people or to programs. */
interface Teller {
  checked(file: string, config: ResolvedConfig): void;
  started(process: InferenceProcess, driver: AnyDriverProcess, width: number): void;
  ended(driver: AnyDriverProcess): void;
}

const lines: Teller = {
  checked(file, { inference, drivers }) {
    print(
      `headrace: ${file} is fine: ${bold(inference.pipeline.name)} with ${drivers.map(({ ref }) => ref).join(", ")}`,
    );
  },
  started(_process, driver, width) {
    const services = driver.listServices().map((service) => {
      const { lan } = service.taggedAddresses;
      return `${service.name} on ${bold(service.name === "http" ? serviceUrl(service) : addressText(lan))}`;
    });
    const what = services.length === 0 ? "runs" : services.join(", ");
    process.stdout.write(table([[driver.ref.padEnd(width), what]]));
  },
  ended(driver) {
    if (driver.error === undefined) print(`headrace: driver ${bold(driver.ref)} has ended`);
    else process.stderr.write(`${red("headrace:")} driver ${driver.ref} failed: ${reason(driver)}\n`);
  },
};

const objects: Teller = {
  checked(file, { inference, drivers }) {
    const named = Object.fromEntries(drivers.map(({ ref, use }) => [ref, use]));
    print(JSON.stringify({ event: "checked", file, pipeline: inference.pipeline.name, drivers: named }));
  },
  started({ name }, driver) {
    const { ref, pid } = driver;
    print(JSON.stringify({ event: "started", pipeline: name, driver: ref, pid, services: driver.listServices() }));
  },
  ended(driver) {
    const { ref, pid, status, error } = driver;
    const why = error === undefined ? {} : { error: { code: error.code, message: error.message } };
    print(JSON.stringify({ event: "ended", driver: ref, pid, status, ...why }));
  },
};

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function reason({ error }: AnyDriverProcess): string {
  return error === undefined ? "" : `${error.code}: ${error.message}`;
}

async function run(file = "headrace.yaml", options: RunOptions): Promise<void> {
  const graceMillis = numberOf("--grace", options.grace, 0) * 1000;
  const tell = options.json ? objects : lines;
  try {
    const config = await load(file);
    if (options.check) tell.checked(file, config);
    else await runConfig(config, graceMillis, tell);
  } catch (error) {
    if (options.json) print(JSON.stringify(failure(error)));
    throw error;
  } finally {
    endAnyway();
  }
}

/** Why nothing runs, as an object. Standard error has it too, as of every command. */
function failure(error: unknown): object {
  if (error instanceof ConfigInvalidError) return { event: "invalid", problems: error.problems };
  const { code, message } = toHeadraceError(error);
  return { event: "failed", error: { code, message } };
}

async function runConfig(config: ResolvedConfig, graceMillis: number, tell: Teller): Promise<void> {
  let isAsked = false;
  // A driver that only waits has nothing that keeps Node alive.
  const alive = setInterval(() => {}, 2 ** 30);
  const runtime = await init("local");
  // From the beginning: a signal while drivers come up stops those that are up in good order.
  const asked = runtime.untilAsked().then(() => {
    isAsked = true;
  });
  const drivers: AnyDriverProcess[] = [];
  const ends: Promise<void>[] = [];
  try {
    const process = await runtime.startInference(config.inference);
    const width = Math.max(...config.drivers.map(({ ref }) => ref.length));
    for (const driver of config.drivers) {
      if (isAsked) break;
      const started = await start(process, driver);
      drivers.push(started);
      tell.started(process, started, width);
      ends.push(
        started
          .ended()
          .catch(() => {})
          .then(() => tell.ended(started)),
      );
    }
    await Promise.race([Promise.all(ends), asked]);
  } finally {
    await runtime.stop({ timeoutMs: graceMillis }).finally(() => clearInterval(alive));
  }
  await Promise.all(ends);
  if (drivers.some(({ status }) => status === "failed")) process.exitCode = 1;
}

/** Reads the file and goes to its folder, where relative paths begin: those in drivers' options too, whatever they are. */
async function load(file: string): Promise<ResolvedConfig> {
  const path = resolve(file);
  // Where there is no such folder, reading the file says so.
  if (existsSync(dirname(path))) process.chdir(dirname(path));
  return loadConfig(path, { label: file });
}

async function start(process: InferenceProcess, { ref, driver, options, restart, located }: ResolvedDriver) {
  try {
    return await process.addDriver(ref, driver, options, restart);
  } catch (error) {
    throw located(error);
  }
}

/** What leaves a timer or a socket behind, a driver or a module that was loaded, does not keep the command alive; its kind is told. */
function endAnyway(): void {
  setTimeout(() => {
    const left = process.getActiveResourcesInfo().filter((what) => !/TTY|Pipe/.test(what));
    process.stderr.write(`${red("headrace:")} a plugin left ${left.join(", ") || "something"} open; ending anyway\n`);
    process.exit();
  }, LEFTOVER_MILLIS).unref();
}
