/** `headrace/repository`: models from a directory in Triton's layout. */
export { type FailedModel, ModelRepository, type ModelRepositoryOptions } from "./repository.js";
