/** Finding the configuration of a model: see docs/benchmarking.md. */
export { sharedOut } from "../cores.js";
export type { Goal } from "./evaluate.js";
export { parseObjective } from "./objective.js";
export { pasteable } from "./paste.js";
export { type RequestFile, requestFile, type Shapes } from "./request-file.js";
export { serverOpener } from "./server.js";
export { tuneText } from "./text.js";
export { type TuneResult, tune } from "./tune.js";
