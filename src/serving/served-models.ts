/** The models that one listener serves, by name and version, whoever feeds them. */
import { HeadraceError, InvalidArgumentError } from "../errors.js";

/** A model as a request names it. */
export interface ServedModel {
  readonly name: string;
  /** A positive integer in digits. */
  readonly version: string;
}

export class ServedModels<M extends ServedModel> {
  /** By name, the highest version first. */
  private readonly byName = new Map<string, M[]>();
  private changes = 0;

  /** Counts what was added and removed: what was derived from the models is out of date when it has changed. */
  get revision(): number {
    return this.changes;
  }

  /**
   * Serves a model from now on.
   * @param replace Whether it takes over from one of the same name and version; that one is not found any more, and may finish
   *   what it has. Else throws PORT_IN_USE.
   */
  add(model: M, replace = false): void {
    const { name, version } = model;
    const versions = this.byName.get(name) ?? [];
    const others = versions.filter((other) => other.version !== version);
    if (others.length < versions.length && !replace) {
      throw new HeadraceError("PORT_IN_USE", `version ${version} of model '${name}' is served there already`);
    }
    others.push(model);
    others.sort((a, b) => Number(b.version) - Number(a.version));
    this.byName.set(name, others);
    this.changes += 1;
  }

  /** Serves it no longer; does nothing where another one has taken over. */
  remove(model: M): void {
    const left = (this.byName.get(model.name) ?? []).filter((other) => other !== model);
    if (left.length > 0) this.byName.set(model.name, left);
    else this.byName.delete(model.name);
    this.changes += 1;
  }

  has(model: M): boolean {
    return this.byName.get(model.name)?.includes(model) ?? false;
  }

  /**
   * The model of a path.
   * @param encoded The name, perhaps percent-encoded.
   * @param version Default: the highest.
   * @throws HeadraceError MODEL_NOT_FOUND
   */
  find(encoded: string, version = ""): M {
    const versions = this.byName.get(encoded) ?? this.byName.get(decoded(encoded));
    const found = version === "" ? versions?.[0] : versions?.find((model) => model.version === version);
    if (found !== undefined) return found;
    throw this.notFound(decoded(encoded), version, versions);
  }

  /**
   * All versions of a model, the highest first.
   * @param encoded The name, perhaps percent-encoded.
   * @throws HeadraceError MODEL_NOT_FOUND
   */
  versions(encoded: string): readonly M[] {
    return this.byName.get(this.find(encoded).name) ?? [];
  }

  /** The model that is meant where a request names none. Throws INVALID_ARGUMENT where there are several. */
  only(): M {
    const [first, ...others] = this.byName.values();
    const [model] = first ?? [];
    if (model === undefined) throw new HeadraceError("MODEL_NOT_FOUND", "no model is served");
    if (others.length === 0) return model;
    const names = [...this.byName.keys()];
    throw new InvalidArgumentError(
      `several models are served, ${names.join(", ")}: name one, as in /models/${names[0]}/…`,
    );
  }

  /** All of them, in the order of their names, each name's highest version first. */
  all(): M[] {
    return [...this.byName.keys()].sort().flatMap((name) => this.byName.get(name) ?? []);
  }

  /** The served versions of a name, lowest first. */
  versionsOf(name: string): string[] {
    return (this.byName.get(name) ?? []).map(({ version }) => version).reverse();
  }

  private notFound(name: string, version: string, versions: readonly M[] | undefined): HeadraceError {
    if (versions !== undefined) {
      const known = this.versionsOf(name).join(", ");
      return new HeadraceError("MODEL_NOT_FOUND", `model '${name}' has no version '${version}', only ${known}`);
    }
    const served = [...this.byName.keys()].join(", ") || "none";
    return new HeadraceError("MODEL_NOT_FOUND", `there is no model '${name}'; served: ${served}`);
  }
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    // Not percent-encoding: then it is nobody's name as it stands.
    return name;
  }
}
