/** What the protocol says of a model besides its tensors: the one place that asks the serving layer for it. */
import { HeadraceError } from "../../errors.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";

export { modelConfig, platformOf } from "../../serving/model-config.js";

/** The message ModelStatistics, as its JSON. */
export function modelStatistics(inference: RestrictedInferenceProcess): object {
  throw new HeadraceError("UNIMPLEMENTED", `there are no statistics of ${inference.name}`);
}
