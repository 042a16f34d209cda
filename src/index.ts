/** The public face of Headrace: what `import … from "headrace"` gives. */
export type { Datatype, FixedDatatype, RawTensor, TypedArray } from "./datatype.js";
export type { ModelDescription, NativeStats, TensorDescription } from "./engine/surface.js";
export * from "./errors.js";
export * from "./pipeline/index.js";
export * from "./runtime/index.js";
export * from "./types/index.js";
