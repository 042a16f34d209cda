/** Finds and loads the addon and the ONNX Runtime beside it, and says what to do where it cannot. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { HeadraceError } from "../errors.js";
import type { Addon } from "./surface.js";

const LIBRARIES: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libonnxruntime.so.1",
  darwin: "libonnxruntime.1.dylib",
  win32: "onnxruntime.dll",
};

/** The nearest folder at or above `from` that holds a package.json. */
function packageRoot(from: string): string {
  let folder = from;
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** HEADRACE_ONNXRUNTIME, or the library inside the installed onnxruntime-node: one copy serves both in a process. */
export function runtimeLibrary(require = createRequire(import.meta.url)): string {
  const given = process.env.HEADRACE_ONNXRUNTIME;
  if (given) return given;
  const name = LIBRARIES[process.platform];
  if (name === undefined) throw new Error(`there is no ONNX Runtime for ${process.platform}`);
  const root = packageRoot(dirname(require.resolve("onnxruntime-node")));
  return join(root, "bin", "napi-v6", process.platform, process.arch, name);
}

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
