/** Plugins: npm packages that offer drivers, sources, sinks, cells and pipelines by name. */
export { BUILT_IN } from "./built-in.js";
export { findPlugin, loadModule, loadPlugin } from "./by-name.js";
export { discoverPlugins } from "./discover.js";
export type { ComponentClass, PluginValues } from "./kinds.js";
export { PLUGIN_KINDS, type Plugin, type PluginEntry, type PluginKind, type PluginProblem } from "./manifest.js";
export { suggestion } from "./nearest.js";
