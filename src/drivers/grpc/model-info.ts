/** What the protocol says of a model besides its tensors: the one place that asks the serving layer for it. */
import { HeadraceError } from "../../errors.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";

/** The message ModelConfig, as its JSON. */
export function configOf(inference: RestrictedInferenceProcess): object {
  throw new HeadraceError("UNIMPLEMENTED", `there is no configuration of ${inference.name}`);
}

/** The message ModelStatistics, as its JSON. */
export function statisticsOf(inference: RestrictedInferenceProcess): object {
  throw new HeadraceError("UNIMPLEMENTED", `there are no statistics of ${inference.name}`);
}

export function platformOf({ direct }: RestrictedInferenceProcess): string {
  return direct === undefined ? "headrace_pipeline" : "onnxruntime_onnx";
}
