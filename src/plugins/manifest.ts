/** The `headrace` field of a package.json: which modules of the package are drivers, sources, sinks, cells and pipelines. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { suggestion } from "./nearest.js";

/**
 * What a plugin can offer, as the field names it.
 *
 * ```ts
 * const entries = discoverPlugins().flatMap((plugin) => plugin.entries);
 * for (const kind of PLUGIN_KINDS) console.log(kind, entries.filter((entry) => entry.kind === kind).length);
 * ```
 */
export const PLUGIN_KINDS = ["drivers", "sources", "sinks", "cells", "pipelines"] as const;
/** One of `PLUGIN_KINDS`. */
export type PluginKind = (typeof PLUGIN_KINDS)[number];

/** Something that a plugin offers. Nothing of it has been loaded. */
export interface PluginEntry {
  readonly kind: PluginKind;
  /** The name to use it by: `package/entry`, or `entry` where it is built in. */
  readonly use: string;
  /** The absolute path of its module. */
  readonly module: string;
  /** The module's export that it is. */
  readonly exportName: string;
}

/** What is wrong with a plugin; its other entries can be used. */
export interface PluginProblem {
  /** Where in package.json, e.g. `headrace.drivers.mqtt`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** A package that has a `headrace` field. */
export interface Plugin {
  /** What its entries' names begin with: the name that an import would use. */
  readonly name: string;
  readonly version: string | undefined;
  /** The absolute path of the package. */
  readonly folder: string;
  /** The absolute path of its package.json. */
  readonly manifest: string;
  readonly entries: readonly PluginEntry[];
  readonly problems: readonly PluginProblem[];
}

/** An entry's name: no `/`, which parts it from the package's, and nothing that an object takes for its own. */
const ENTRY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const KINDS: readonly string[] = PLUGIN_KINDS;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isMissing(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Whether a path lies in a folder; the folder itself does not. */
function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** The module and export that an entry names, or what is wrong with it. */
function target(folder: string, value: unknown): { module: string; exportName: string } | string {
  if (typeof value !== "string") {
    return `expected a string such as "./dist/driver.js" or "./dist/driver.js#MyDriver", got ${JSON.stringify(value)}`;
  }
  const hash = value.lastIndexOf("#");
  const path = hash < 0 ? value : value.slice(0, hash);
  const exportName = hash < 0 ? "default" : value.slice(hash + 1);
  if (exportName === "") return `names no export after '#'; leave the '#' out for the default export`;
  if (!path.startsWith("./")) return `expected a path that begins with "./", relative to the package, got "${path}"`;
  const module = resolve(folder, path);
  if (!isInside(folder, module)) return `"${path}" leaves the package; a module must lie in its folder`;
  try {
    if (!statSync(module).isFile()) return `"${path}" is no file; name the module, not its folder`;
    // A link may leave the package too. The package itself may be one.
    if (!isInside(realpathSync(folder), realpathSync(module))) return `"${path}" is a link that leaves the package`;
  } catch (error) {
    if (isMissing(error)) return `there is no file "${path}"; build the package, or correct the path`;
    return `"${path}" cannot be read: ${(error as Error).message}`;
  }
  return { module, exportName };
}

/** What the field says, as entries and problems. */
function readField(name: string, folder: string, field: unknown): Pick<Plugin, "entries" | "problems"> {
  const entries: PluginEntry[] = [];
  const problems: PluginProblem[] = [];
  const wrong = (path: string, message: string) => problems.push({ path: `headrace${path}`, message });
  if (!isObject(field)) {
    wrong("", `expected an object with some of ${PLUGIN_KINDS.join(", ")}, got ${JSON.stringify(field)}`);
    return { entries, problems };
  }
  for (const [kind, offered] of Object.entries(field)) {
    if (!KINDS.includes(kind)) {
      wrong(`.${kind}`, `unknown key; ${suggestion(kind, PLUGIN_KINDS)}`);
      continue;
    }
    if (!isObject(offered)) {
      wrong(`.${kind}`, `expected an object of names and modules, got ${JSON.stringify(offered)}`);
      continue;
    }
    for (const [entry, value] of Object.entries(offered)) {
      const found = ENTRY_NAME.test(entry)
        ? target(folder, value)
        : `expected a name of letters, digits, '.', '_' and '-' that begins with a letter or digit`;
      if (typeof found === "string") wrong(`.${kind}.${entry}`, found);
      else entries.push({ kind: kind as PluginKind, use: `${name}/${entry}`, ...found });
    }
  }
  return { entries, problems };
}

/**
 * A folder as a plugin. Never throws: what is wrong is among its problems.
 * @param name The name it is imported by. Default: the one in its package.json.
 * @returns undefined where there is no package.json, or none that mentions headrace.
 */
export function readPlugin(folder: string, name?: string): Plugin | undefined {
  const manifest = join(folder, "package.json");
  const broken = (path: string, message: string): Plugin => {
    return { name: name ?? folder, version: undefined, folder, manifest, entries: [], problems: [{ path, message }] };
  };
  let json: unknown;
  try {
    const text = readFileSync(manifest, "utf8");
    // There may be a thousand packages, and few are plugins.
    if (!text.includes('"headrace"')) return undefined;
    json = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    if (isMissing(error)) return undefined;
    return broken("", `cannot be read: ${(error as Error).message}`);
  }
  if (!isObject(json) || json.headrace === undefined) return undefined;
  const own = name ?? json.name;
  if (typeof own !== "string" || own === "")
    return broken("name", "a plugin needs a name; its entries' names begin with it");
  const version = typeof json.version === "string" ? json.version : undefined;
  return { name: own, version, folder, manifest, ...readField(own, folder, json.headrace) };
}
