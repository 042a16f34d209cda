/** Which plugins are installed: those that an import from a folder would find. */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type Plugin, readPlugin } from "./manifest.js";

/** A folder and all those above it. */
function upwards(from: string): string[] {
  const folders = [resolve(from)];
  for (let folder = resolve(from); folder !== dirname(folder); ) {
    folder = dirname(folder);
    folders.push(folder);
  }
  return folders;
}

/** The names in a folder, in order; none where it is not there or may not be read. */
function names(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** The packages of a node_modules folder, by the names they are imported by. */
function packages(modules: string): string[] {
  return names(modules).flatMap((name) => {
    if (name.startsWith(".")) return [];
    return name.startsWith("@") ? names(join(modules, name)).map((inner) => `${name}/${inner}`) : [name];
  });
}

/**
 * The plugins that can be used from a folder: the package it belongs to, and those in the node_modules folders from there
 * upwards. Of several of one name it is the nearest, as for an import. Reads package.json files and loads no module; what is
 * wrong with a plugin is among its problems.
 *
 * @param from Where to begin. Default: the working directory.
 * @example
 * for (const { name, entries } of discoverPlugins()) console.log(name, entries.map(({ use }) => use));
 */
export function discoverPlugins(from: string = process.cwd()): Plugin[] {
  const found: Plugin[] = [];
  // A nearer package hides one of its name, be it a plugin or not.
  const seen = new Set<string>();
  const folders = upwards(from);
  const ownFolder = folders.find((folder) => existsSync(join(folder, "package.json")));
  const own = ownFolder === undefined ? undefined : readPlugin(ownFolder);
  if (own !== undefined) {
    found.push(own);
    seen.add(own.name);
  }
  for (const folder of folders) {
    if (basename(folder) === "node_modules") continue;
    const modules = join(folder, "node_modules");
    for (const name of packages(modules)) {
      if (seen.has(name)) continue;
      seen.add(name);
      const plugin = readPlugin(join(modules, name), name);
      if (plugin !== undefined) found.push(plugin);
    }
  }
  return found;
}
