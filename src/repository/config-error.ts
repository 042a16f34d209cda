import { HeadraceError } from "../errors.js";

/**
 * A model's configuration cannot be used. MODEL_INVALID: the model's maker is at fault, not who asked for it.
 *
 * @param where The file and line, such as `gru/config.pbtxt:12`, or the path of a JSON value.
 */
export function configError(where: string, message: string): HeadraceError {
  return new HeadraceError("MODEL_INVALID", message, { path: where });
}
