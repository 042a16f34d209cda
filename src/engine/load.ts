/** Loads the addon and the ONNX Runtime beside it, and says what to do where it cannot. */
import { createRequire } from "node:module";
import { HeadraceError } from "../errors.js";
import { addonFiles, verifyNativeFile } from "./native-files.js";
import { runtimeLibrary } from "./runtime-library.js";
import type { Addon } from "./surface.js";

function loadAddon(): Addon {
  const require = createRequire(import.meta.url);
  const attempts: string[] = [];
  for (const file of addonFiles()) {
    try {
      const library = runtimeLibrary(require);
      for (const native of [file, library]) verifyNativeFile(native);
      const addon = require(file) as Addon;
      addon.openOnnxRuntime(library);
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
