import type { CAC } from "cac";
import { BUILT_IN, discoverPlugins, PLUGIN_KINDS, type Plugin, type PluginEntry } from "../plugins/index.js";
import { bold, dim, red, table } from "./style.js";

export function registerPlugins(cli: CAC): void {
  cli
    .command("plugins", "List the drivers, sources, sinks, cells and pipelines that can be used from here")
    .option("--json", "Print JSON")
    .example("  headrace plugins")
    .example("  headrace plugins --json")
    .action(plugins);
}

function plugins(options: { json?: boolean }): void {
  const found = discoverPlugins();
  process.stdout.write(options.json ? `${JSON.stringify(json(found), null, 2)}\n` : text(found));
}

/** Entries by kind and name, as the manifest has them. */
function byKind(entries: readonly PluginEntry[]): Record<string, Record<string, { module: string; export: string }>> {
  const kinds = PLUGIN_KINDS.map((kind) => {
    const own = entries.filter((entry) => entry.kind === kind);
    return [kind, Object.fromEntries(own.map(({ use, module, exportName }) => [use, { module, export: exportName }]))];
  });
  return Object.fromEntries(kinds);
}

function json(found: readonly Plugin[]): unknown {
  return {
    builtIn: byKind(BUILT_IN),
    plugins: found.map(({ entries, ...plugin }) => ({ ...plugin, ...byKind(entries) })),
  };
}

/** One row for each kind that there is something of. */
function rows(entries: readonly PluginEntry[]): string[][] {
  return PLUGIN_KINDS.flatMap((kind) => {
    const names = entries.filter((entry) => entry.kind === kind).map(({ use }) => use);
    return names.length === 0 ? [] : [[kind, names.join(", ")]];
  });
}

function text(found: readonly Plugin[]): string {
  const sections = [`${bold("built in")}\n${table(rows(BUILT_IN))}`];
  for (const { name, version, folder, manifest, entries, problems } of found) {
    const lines = problems.map(({ path, message }) => {
      return `  ${red("problem:")} ${manifest}: ${path === "" ? "" : `${path}: `}${message}\n`;
    });
    const title = `${bold(name)}${version === undefined ? "" : ` ${version}`}  ${dim(folder)}`;
    sections.push(`${title}\n${table(rows(entries))}${lines.join("")}`);
  }
  if (found.length === 0) sections.push(dim("no plugins are installed here\n"));
  return sections.join("\n");
}
