/** From what headrace.yaml says to what a runtime takes: an Inference, and classes of drivers with their options. */
import type { HeadraceError } from "../errors.js";
import { findPlugin, loadPlugin, type PluginKind } from "../plugins/index.js";
import type { DriverClass, Inference, RestartOptions } from "../runtime/index.js";
import type { ComponentConfig, DriverConfig, HeadraceConfig } from "./config.js";
import { at, inferenceOf, type Where } from "./inference.js";
import { ConfigInvalidError, type ConfigPath, type ConfigProblem } from "./source.js";

type Options = Readonly<Record<string, unknown>>;

/** A driver as `addDriver` takes it. */
export interface ResolvedDriver {
  readonly ref: string;
  /** The name that the file uses it by. */
  readonly use: string;
  readonly driver: DriverClass<Record<string, unknown>>;
  readonly options: Record<string, unknown>;
  readonly restart: RestartOptions;
  /** An error of this driver with the place of the option that it is about. */
  located(error: unknown): HeadraceError;
}

/** What a configuration file stands for, loaded and validated, nothing of it started. */
export interface ResolvedConfig {
  readonly inference: Inference;
  /** In the file's order. */
  readonly drivers: readonly ResolvedDriver[];
}

/** A source or sink in a driver's options, to be replaced by a function that makes it. */
interface Component {
  readonly kind: "sources" | "sinks";
  readonly name: string;
  readonly path: ConfigPath;
  readonly config: ComponentConfig;
}

const END = { sources: "source", sinks: "sink" } as const;

function isObject(value: unknown): value is Options {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The `{ use, options }` under `sources.*.source` and `sinks.*.sink`. */
function componentsOf(options: Options, path: ConfigPath): Component[] {
  return (["sources", "sinks"] as const).flatMap((kind) => {
    const all = options[kind];
    if (!isObject(all)) return [];
    return Object.entries(all).flatMap(([name, entry]): Component[] => {
      const config = isObject(entry) ? entry[END[kind]] : undefined;
      if (!isObject(config) || typeof config.use !== "string") return [];
      return [{ kind, name, path: [...path, kind, name, END[kind]], config: config as unknown as ComponentConfig }];
    });
  });
}

/** Every name of the file that no plugin has, at once. */
function refuseUnknown(config: HeadraceConfig, where: Where): void {
  const problems: ConfigProblem[] = [];
  const look = (kind: PluginKind, use: string, path: ConfigPath): void => {
    try {
      findPlugin(where.plugins, kind, use);
    } catch (error) {
      problems.push(where.source.problem(path, (error as Error).message));
    }
  };
  const { pipeline } = config;
  if (typeof pipeline !== "string" && "use" in pipeline) look("pipelines", pipeline.use, ["pipeline", "use"]);
  if (typeof pipeline !== "string" && "cell" in pipeline) look("cells", pipeline.cell, ["pipeline", "cell"]);
  for (const [ref, { use, options = {} }] of Object.entries(config.drivers)) {
    look("drivers", use, ["drivers", ref, "use"]);
    for (const component of componentsOf(options, ["drivers", ref, "options"])) {
      look(component.kind, component.config.use, [...component.path, "use"]);
    }
  }
  if (problems.length > 0) throw new ConfigInvalidError(problems);
}

/** A function that makes the source or sink. Its module is loaded already. */
async function factoryOf({ kind, path, config }: Component, where: Where): Promise<() => object> {
  const Class = await at(where, [...path, "use"], () => loadPlugin(where.plugins, kind, config.use));
  return () => {
    try {
      return new Class(config.options ?? {});
    } catch (error) {
      throw where.source.located([...path, "options"], error, Class.name, "INVALID_ARGUMENT");
    }
  };
}

async function resolveDriver(ref: string, config: DriverConfig, where: Where): Promise<ResolvedDriver> {
  const path = ["drivers", ref];
  const driver = await at(where, [...path, "use"], () => loadPlugin(where.plugins, "drivers", config.use));
  const options: Record<string, unknown> = { ...config.options };
  const located = (error: unknown): HeadraceError => where.source.located([...path, "options"], error, driver.name);
  for (const component of componentsOf(options, [...path, "options"])) {
    const { kind, name } = component;
    const make = await factoryOf(component, where);
    // Made and dropped, as the driver below: what does not fit is told before anything starts.
    make();
    const all = options[kind] as Readonly<Record<string, Options>>;
    options[kind] = { ...all, [name]: { ...all[name], [END[kind]]: make } };
  }
  try {
    new driver(options);
  } catch (error) {
    throw where.source.located([...path, "options"], error, driver.name, "INVALID_ARGUMENT");
  }
  const { restart, backoffMs, maxRestarts } = config;
  const given = Object.entries({ restart, backoffMs, maxRestarts }).filter(([, value]) => value !== undefined);
  return { ref, use: config.use, driver, options, restart: Object.fromEntries(given), located };
}

/**
 * Loads the modules that a file names and makes its drivers, sources and sinks once, which validates their options: a
 * constructor opens nothing. Starts nothing; of `{ model }` it loads the model, to see what it has.
 *
 * @throws ConfigInvalidError with the place of what does not fit; MODEL_NOT_FOUND, MODEL_INVALID, PIPELINE_INVALID.
 */
export async function resolveConfig(config: HeadraceConfig, where: Where): Promise<ResolvedConfig> {
  refuseUnknown(config, where);
  const drivers: ResolvedDriver[] = [];
  for (const [ref, driver] of Object.entries(config.drivers)) drivers.push(await resolveDriver(ref, driver, where));
  return { inference: await inferenceOf(config, where), drivers };
}
