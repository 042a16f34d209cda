import type { ModelConfig } from "./model-config.js";

/** What V2's model configuration says of a model of the repository beyond what follows from the model itself. */
export function v2Config(model: ModelConfig | undefined): Readonly<Record<string, unknown>> {
  // Also of one whose control inputs a cell makes, which therefore is a pipeline.
  const own = {
    platform: "onnxruntime_onnx",
    backend: "onnxruntime",
    default_model_filename: model?.file ?? "model.onnx",
  };
  if (model === undefined) return own;
  const { config } = model;
  const formats = (config.input ?? []).flatMap(({ name, format }) => (name && format ? [[name, format] as const] : []));
  const { version_policy, max_batch_size, dynamic_batching, sequence_batching, instance_group, parameters } = config;
  const given = { version_policy, max_batch_size, dynamic_batching, sequence_batching, instance_group, parameters };
  return {
    ...own,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    formats: Object.fromEntries(formats),
  };
}
