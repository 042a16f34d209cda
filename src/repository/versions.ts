/** Which versions of a model are served: `version_policy`. */
import { configError } from "./config-error.js";
import type { ModelFolder } from "./folder.js";
import type { ModelConfig } from "./model-config.js";

/**
 * Lowest first; never none. Default: the latest one.
 *
 * @throws HeadraceError MODEL_INVALID where there is no version, or not one that the policy names.
 */
export function servedVersions({ name, versions }: ModelFolder, model: ModelConfig | undefined): readonly string[] {
  if (versions.length === 0) {
    throw configError(name, "has no version: put the model into a folder 1, as in NAME/1/model.onnx");
  }
  const policy = model?.config.version_policy ?? {};
  if (policy.all !== undefined) return versions;
  if (policy.specific === undefined) {
    const count = policy.latest?.num_versions ?? 1;
    return versions.slice(-Math.max(1, count));
  }
  const wanted = new Set((policy.specific.versions ?? []).map(String));
  const where = model?.places.of(policy, "specific") ?? name;
  if (wanted.size === 0) throw configError(where, "names no version");
  const missing = [...wanted].filter((version) => !versions.includes(version));
  if (missing.length === 0) return versions.filter((version) => wanted.has(version));
  throw configError(where, `there is no version ${missing.join(", ")}; there are ${versions.join(", ")}`);
}
