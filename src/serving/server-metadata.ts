/** What a server says of itself, the same on every transport. */
import type { ServerMetadata } from "../protocol/index.js";
import { VERSION } from "../version.js";

export const SERVER: ServerMetadata = {
  name: "headrace",
  version: VERSION,
  extensions: [
    "binary_tensor_data",
    "generate",
    "model_configuration",
    "model_repository",
    "model_repository(unload_dependents)",
    "schedule_policy",
    "sequence",
    "statistics",
    "stream",
  ],
};
