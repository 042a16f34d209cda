/** What Headrace itself offers by name. */
import { fileURLToPath } from "node:url";
import { PLUGIN_KINDS, type PluginEntry, type PluginKind } from "./manifest.js";

/** Modules, relative to this one, and their exports. Paths, not imports: each is loaded when it is used. */
const TABLE: Readonly<Record<PluginKind, Readonly<Record<string, readonly [module: string, exportName: string]>>>> = {
  drivers: {
    grpc: ["../drivers/grpc/index.js", "GrpcDriver"],
    http: ["../drivers/http/index.js", "HttpDriver"],
    "source-sink": ["../drivers/source-sink/index.js", "SourceSinkDriver"],
    stress: ["../drivers/stress/index.js", "StressDriver"],
  },
  sources: {
    dummy: ["../sources/dummy.js", "DummySource"],
    file: ["../sources/file.js", "FileSource"],
  },
  sinks: {
    dummy: ["../sinks/dummy.js", "DummySink"],
    file: ["../sinks/file.js", "FileSink"],
  },
  cells: {},
  pipelines: {},
};

/** The built-in drivers, sources and sinks. Their names have no `/`. */
export const BUILT_IN: readonly PluginEntry[] = PLUGIN_KINDS.flatMap((kind) =>
  Object.entries(TABLE[kind]).map(([use, [path, exportName]]) => {
    return { kind, use, module: fileURLToPath(new URL(path, import.meta.url)), exportName };
  }),
);
