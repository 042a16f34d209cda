/** A model's config.pbtxt, or the JSON that takes its place, as a configuration that has been read but not yet met its model. */

import { configError } from "./config-error.js";
import { parseJsonConfig } from "./config-json.js";
import { type Places, readMessage } from "./config-reader.js";
import { MODEL_CONFIG, type TritonConfig } from "./config-schema.js";
import { parseTextFormat } from "./text-format.js";

/** The model's file where the configuration names none, as Triton has it. */
const MODEL_FILE = "model.onnx";
const BACKENDS = ["", "onnxruntime"];
const PLATFORMS = ["", "onnxruntime_onnx"];

/** A field that changes nothing, and why. */
export interface IgnoredField {
  readonly where: string;
  readonly field: string;
  readonly why: string;
}

export interface ModelConfig {
  readonly config: TritonConfig;
  /** Where its fields stand, for errors. */
  readonly places: Places;
  readonly ignored: readonly IgnoredField[];
  /** The model's file in each version's folder; a mere name. */
  readonly file: string;
}

/** Where a configuration comes from. */
export type ConfigText =
  | { readonly kind: "pbtxt"; readonly text: string; readonly label: string }
  | { readonly kind: "json"; readonly text: string; readonly label: string };

/**
 * @param model The model's name, that of its folder.
 * @throws HeadraceError MODEL_INVALID with the file and line of what does not fit.
 */
export function readModelConfig({ kind, text, label }: ConfigText, model: string): ModelConfig {
  const ignored: IgnoredField[] = [];
  const isJson = kind === "json";
  const { value: config, places } = readMessage(
    isJson ? parseJsonConfig(text, label) : parseTextFormat(text, label),
    MODEL_CONFIG,
    {
      isJson,
      ignored: (where, field, why) => ignored.push({ where, field, why }),
    },
  );
  const { name = "", platform = "", backend = "", max_batch_size = 0, default_model_filename = "" } = config;
  const at = (field: keyof TritonConfig): string => places.of(config, field);
  if (name !== "" && name !== model) {
    throw configError(
      at("name"),
      `the model is called '${name}', but its folder '${model}'; leave out the name, or make them the same`,
    );
  }
  if (!BACKENDS.includes(backend)) {
    throw configError(at("backend"), `backend '${backend}' is not supported; ONNX models have "onnxruntime"`);
  }
  if (!PLATFORMS.includes(platform)) {
    throw configError(at("platform"), `platform '${platform}' is not supported; ONNX models have "onnxruntime_onnx"`);
  }
  if (max_batch_size < 0) throw configError(at("max_batch_size"), `expected 0 or more, got ${max_batch_size}`);
  if (default_model_filename !== "" && !isFileName(default_model_filename)) {
    const message = "expected the name of a file in the version's folder, without '/' and '..'";
    throw configError(at("default_model_filename"), message);
  }
  return { config, places, ignored, file: default_model_filename || MODEL_FILE };
}

/** Whether a name stays where it is looked for. */
export function isFileName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !["/", "\\", "\0"].some((sign) => name.includes(sign));
}
