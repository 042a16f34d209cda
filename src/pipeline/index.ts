/** Cells and the pipelines made of them: pure descriptions, which a runtime runs. */
export {
  type BatchResults,
  type CellContext,
  type CellDefinition,
  type CellLoadContext,
  type CellResult,
  defineCell,
  type FunctionCell,
  type FunctionCellOptions,
} from "./cell.js";
export { type CellPorts, checkTypes } from "./check-types.js";
export type { CellJson, PipelineJson, PortJson } from "./description.js";
export { PipelineFactory, type PipelineOptions } from "./factory.js";
export type { Edge } from "./graph.js";
export { type OnnxPortTypes, onnxCell } from "./onnx-cell.js";
export type {
  OnnxBatchingOption,
  OnnxCell,
  OnnxCellOptions,
  OnnxConstant,
  OnnxContextOption,
  OnnxPort,
  OnnxPortOption,
  OnnxPortOptions,
  OnnxStateOption,
  OnnxStatePlan,
} from "./onnx-options.js";
export {
  type IfKnown,
  type NestedPipeline,
  Pipeline,
  type PipelineGraph,
  type PipelineInput,
  type PipelineInputs,
  type PipelineOutput,
  type PipelineOutputs,
} from "./pipeline.js";
export {
  type CellHandle,
  type Given,
  type Gives,
  InputPort,
  type OnnxCellHandle,
  OutputPort,
  type PortRef,
  type PortsHandle,
  type PortType,
  type Takes,
} from "./ports.js";
