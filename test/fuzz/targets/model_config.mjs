// A model's configuration: config.pbtxt, or the JSON of a load request. The first byte says which.

import { load } from "../lib/build.mjs";
import { demand, survives } from "../lib/survives.mjs";

export const decoders = [
  "src/repository/text-tokens.ts",
  "src/repository/text-format.ts",
  "src/repository/config-json.ts",
  "src/repository/config-reader.ts",
  "src/repository/model-config.ts",
];

const { isFileName, readModelConfig } = await load("src/repository/model-config.ts");

export function fuzz(bytes) {
  const kind = bytes[0] === 1 ? "json" : "pbtxt";
  const text = bytes.toString("utf8", 1);
  const read = survives(() => readModelConfig({ kind, text, label: "config" }, "m"), ["MODEL_INVALID"]);
  if (read === undefined) return;
  demand(isFileName(read.file), "the model's file stays in its folder");
  demand((read.config.max_batch_size ?? 0) >= 0, "a batch size");
  for (const { where } of read.ignored) demand(where.startsWith("config"), "what is ignored has a place");
}
