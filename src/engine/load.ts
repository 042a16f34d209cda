/** Finds and loads the addon and the ONNX Runtime beside it, and says what to do where it cannot. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { HeadraceError } from "../errors.js";
import { packageRoot, runtimeLibrary } from "./runtime-library.js";
import type { Addon } from "./surface.js";

function loadAddon(): Addon {
  const here = dirname(fileURLToPath(import.meta.url));
  const require = createRequire(import.meta.url);
  const build = join(packageRoot(here), "build", "native");
  const attempts: string[] = [];
  for (const configuration of process.env.HEADRACE_DEBUG ? ["Debug", "Release"] : ["Release", "Debug"]) {
    const file = join(build, configuration, "headrace.node");
    try {
      const addon = require(file) as Addon;
      addon.openOnnxRuntime(runtimeLibrary(require));
      return addon;
    } catch (error) {
      attempts.push(`  ${file}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
    }
  }
  throw new HeadraceError(
    "NATIVE_UNAVAILABLE",
    `the native engine cannot be loaded. Tried:\n${attempts.join("\n")}\nBuild it with \`npm run build:native\` in the headrace package (needs g++ and CMake), or reinstall headrace.`,
  );
}

let loaded: Addon | undefined;

/** The addon, loaded on first use. Throws HeadraceError NATIVE_UNAVAILABLE. */
export function addon(): Addon {
  loaded ??= loadAddon();
  return loaded;
}
