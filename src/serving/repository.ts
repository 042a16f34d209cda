/** V2's repository API, the same on every transport, also where the models were given by hand. */
import { HeadraceError } from "../errors.js";
import type { RepositoryControl, RepositoryEntry } from "../runtime/index.js";
import type { ServedModel, ServedModels } from "./served-models.js";

/**
 * All models that could be served, and their states.
 * @param ready Whether only those that are.
 */
export async function repositoryIndex(
  repository: RepositoryControl | undefined,
  models: ServedModels<ServedModel>,
  ready: boolean,
): Promise<readonly RepositoryEntry[]> {
  const own = models.all().map(({ name, version }): RepositoryEntry => ({ name, version, state: "READY", reason: "" }));
  const listed = (await repository?.index()) ?? [];
  // A driver may serve models beside those of the repository.
  const keys = new Set(listed.map(({ name, version }) => `${name}/${version}`));
  const beside = own.filter(({ name, version }) => !keys.has(`${name}/${version}`));
  return [...listed, ...beside].filter(({ state }) => !ready || state === "READY");
}

/** What loads and unloads models. Throws UNAVAILABLE where there is nothing that could. */
export function repositoryControl(repository: RepositoryControl | undefined): RepositoryControl {
  if (repository !== undefined) return repository;
  const message =
    "explicit model load / unload is not allowed: this server has no model directory (headrace serve --models)";
  throw new HeadraceError("UNAVAILABLE", message);
}
