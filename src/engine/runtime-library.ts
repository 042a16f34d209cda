/** Where the ONNX Runtime lies that everything here uses. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const LIBRARIES: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libonnxruntime.so.1",
  darwin: "libonnxruntime.1.dylib",
  win32: "onnxruntime.dll",
};

/** The nearest folder at or above `from` that holds a package.json. */
export function packageRoot(from: string): string {
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
