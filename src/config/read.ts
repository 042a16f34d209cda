import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { InvalidArgumentError } from "../errors.js";
import { discoverPlugins } from "../plugins/index.js";
import type { Environment } from "./environment.js";
import { parseYaml } from "./parse.js";
import { type ResolvedConfig, resolveConfig } from "./resolve.js";
import { checkSchema } from "./schema.js";

/** How `loadConfig` reads a file. */
export interface LoadOptions {
  /** What `${NAME}` stands for. Default: the environment of the process. */
  readonly environment?: Environment;
  /** What messages call the file. Default: its path as given. */
  readonly label?: string;
}

/**
 * Reads a headrace.yaml: checks it in full, and loads what it names. Plugins are those that can be used from its folder.
 * Options of drivers, sources and sinks are handed on as they are: a relative path in one is the driver's own matter, which is
 * why `headrace run` works in the file's folder.
 *
 * @throws ConfigInvalidError with the place of everything that is wrong; MODEL_NOT_FOUND, MODEL_INVALID, PIPELINE_INVALID.
 * @example
 * const { inference, drivers } = await loadConfig("headrace.yaml");
 * const proc = await (await init()).startInference(inference);
 * for (const { ref, driver, options, restart } of drivers) await proc.addDriver(ref, driver, options, restart);
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<ResolvedConfig> {
  const { environment = process.env, label = file } = options;
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const message = `cannot read ${label}: ${(cause as { code?: string }).code ?? String(cause)}; name the file, or go to its folder`;
    throw new InvalidArgumentError(message, { cause });
  }
  const parsed = parseYaml(text, label, environment);
  const folder = dirname(resolve(file));
  return resolveConfig(checkSchema(parsed), { source: parsed.source, folder, plugins: discoverPlugins(folder) });
}
