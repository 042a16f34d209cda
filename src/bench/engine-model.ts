/** The one model of a pipeline, as the engine's own loop loads it (native/loadgen/engine/model_file.h). */

import type { OnnxCell, Pipeline } from "../pipeline/index.js";
import { binaryOf } from "../protocol/index.js";
import { nativeConfig } from "../runtime/model-cell.js";
import type { Step } from "./input.js";

export interface EngineModel {
  readonly cell: OnnxCell;
  /** The tensor of each declared input. */
  readonly tensors: Readonly<Record<string, string>>;
}

/** Undefined where the pipeline is more than one model whose inputs are its own. */
export function engineModel(pipeline: Pipeline): EngineModel | undefined {
  const [ref = "", ...others] = pipeline.order;
  const cell = pipeline.cells[ref];
  if (cell?.kind !== "onnx" || others.length > 0) return undefined;
  const tensors: Record<string, string> = {};
  for (const [name, { targets }] of Object.entries(pipeline.inputs)) {
    const [target, second] = targets;
    if (target === undefined || second !== undefined) return undefined;
    tensors[name] = cell.inputs?.[target.port]?.tensor ?? target.port;
  }
  return { cell, tensors };
}

/** @param isBatched Whether an input has rows in front, by name. */
export function modelFile({ cell, tensors }: EngineModel, step: Step, isBatched: (input: string) => boolean): string {
  const config = nativeConfig(cell, undefined);
  const { maxBatch, maxDelayMicros, queueSize, queueBytes, execution, lanes, intraOpThreads, maxStates } = config;
  const options = { maxBatch, maxDelayMicros, queueSize, queueBytes, execution, lanes, intraOpThreads, maxStates };
  const axis = (value: number | undefined): string[] => (value === undefined ? [] : [`${value}`]);
  const lines: string[][] = [
    ["path", config.path],
    ["states", config.state === undefined ? "none" : "given"],
    ...(config.state ?? []).map(({ input, output, batchAxis }) => ["state", input, output, ...axis(batchAxis)]),
    ...config.constants.map(({ input, value }) => ["constant", input, ...constant(value)]),
    ...config.context.map((context) => ["context", context.input, `${context.size}`, ...axis(context.axis)]),
    ...config.shapes.map(({ input, dims }) => ["shape", input, dims.join(",")]),
  ];
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) lines.push(["option", name, `${value}`]);
  }
  for (const [name, tensor] of Object.entries(step)) {
    const row = isBatched(name) ? tensor.shape.slice(1) : tensor.shape;
    lines.push(["input", tensors[name] ?? name, `${binaryOf(tensor).byteLength}`, row.join(",")]);
  }
  return lines.map((fields) => `${fields.join("\t")}\n`).join("");
}

function constant(value: bigint | number | boolean | string | ArrayBuffer): [kind: string, value: string] {
  if (value instanceof ArrayBuffer) return ["bytes", Buffer.from(value).toString("hex")];
  const kinds = { bigint: "integer", number: "real", boolean: "boolean", string: "text" } as const;
  return [kinds[typeof value as keyof typeof kinds], String(value)];
}
