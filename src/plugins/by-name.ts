/** From a name, such as `http` or `my-plugin/mqtt`, to what it stands for. */
import { fileURLToPath, pathToFileURL } from "node:url";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import { BUILT_IN } from "./built-in.js";
import { asKind, type PluginValues } from "./kinds.js";
import { PLUGIN_KINDS, type Plugin, type PluginEntry, type PluginKind } from "./manifest.js";
import { suggestion } from "./nearest.js";

const IMPORTED_HERE = ` imported from ${fileURLToPath(import.meta.url)}`;

function entriesOf(plugins: readonly Plugin[]): PluginEntry[] {
  return [...BUILT_IN, ...plugins.flatMap((plugin) => plugin.entries)];
}

/** A kind's name for one: `driver` of `drivers`. */
function one(kind: PluginKind): string {
  return kind.slice(0, -1);
}

/** What is known to be wrong with an entry, or with the whole package it would be of. */
function problemOf(plugins: readonly Plugin[], kind: PluginKind, use: string): string | undefined {
  for (const { name, manifest, problems } of plugins) {
    if (!use.startsWith(`${name}/`)) continue;
    const own = `headrace.${kind}.${use.slice(name.length + 1)}`;
    const problem = problems.find(({ path }) => path === own || own.startsWith(`${path}.`) || path === "");
    if (problem !== undefined) return `${manifest}: ${[problem.path, problem.message].filter(Boolean).join(": ")}`;
  }
  return undefined;
}

/**
 * The entry of a name. Loads nothing.
 *
 * ```ts
 * findPlugin([], "drivers", "http").exportName; // "HttpDriver"
 * findPlugin([], "drivers", "htp"); // throws: there is no driver 'htp'; did you mean 'http'? …
 * ```
 *
 * @param plugins What `discoverPlugins` found; the built-in names are always known.
 * @throws InvalidArgumentError for a name that is not known, with those that are, and for an entry that is broken.
 */
export function findPlugin(plugins: readonly Plugin[], kind: PluginKind, use: string): PluginEntry {
  const entries = entriesOf(plugins);
  const found = entries.find((entry) => entry.kind === kind && entry.use === use);
  if (found !== undefined) return found;
  const problem = problemOf(plugins, kind, use);
  if (problem !== undefined) throw new InvalidArgumentError(`the ${one(kind)} '${use}' is broken: ${problem}`);
  const others = PLUGIN_KINDS.filter((other) => entries.some((entry) => entry.kind === other && entry.use === use));
  const known = entries.filter((entry) => entry.kind === kind).map((entry) => entry.use);
  const hint = others.length > 0 ? `it is a ${others.map(one).join(" and a ")}; ` : "";
  throw new InvalidArgumentError(
    `there is no ${one(kind)} '${use}'; ${hint}${suggestion(use, known)}. 'headrace plugins' lists what is installed`,
  );
}

/** Runs a plugin's own code. What it throws becomes INVALID_ARGUMENT, unless it is an error of ours that says more. */
async function loading<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof HeadraceError) throw cause;
    // Where Node does not find the module itself, it names this file as who asked.
    const message = (cause instanceof Error ? cause.message : String(cause)).replace(IMPORTED_HERE, "");
    throw new InvalidArgumentError(`cannot load ${what}: ${message}`, { cause });
  }
}

/**
 * Loads an export of a module as a driver, source, sink, cell or pipeline.
 * @param what The module in the words of a message.
 * @throws InvalidArgumentError where it cannot be loaded, has no such export, or the export is something else.
 */
export function loadModule<K extends PluginKind>(
  kind: K,
  module: string,
  exportName: string,
  what: string,
): Promise<PluginValues[K]> {
  return loading(what, async () => {
    const loaded: Record<string, unknown> = await import(pathToFileURL(module).href);
    if (exportName !== "default" && !Object.hasOwn(loaded, exportName)) {
      const exports = Object.keys(loaded).join(", ") || "nothing";
      throw new InvalidArgumentError(`${what} has no export '${exportName}'; it exports ${exports}`);
    }
    const must = exportName === "default" ? "must default-export" : `must export as '${exportName}'`;
    return asKind(kind, loaded[exportName], `${what} ${must}`);
  });
}

/**
 * What a name stands for: its module is loaded now, and never before.
 *
 * @throws InvalidArgumentError for an unknown or broken name, a module that cannot be loaded, or an export of another kind.
 * @example
 * const Mqtt = await loadPlugin(discoverPlugins(), "drivers", "my-plugin/mqtt");
 * await proc.addDriver("mqtt", Mqtt, { broker: "mqtt://127.0.0.1" });
 */
export async function loadPlugin<K extends PluginKind>(
  plugins: readonly Plugin[],
  kind: K,
  use: string,
): Promise<PluginValues[K]> {
  const { module, exportName } = findPlugin(plugins, kind, use);
  return loadModule(kind, module, exportName, `'${use}' (${module})`);
}
