/** What a server can do to the models of a directory; V2's repository API. */

/** A version of a model, as the index lists it. */
export interface RepositoryEntry {
  readonly name: string;
  /** "" where none of its versions was ever loaded. */
  readonly version: string;
  readonly state: "READY" | "LOADING" | "UNLOADING" | "UNAVAILABLE" | "UNKNOWN";
  /** Why it is not READY; "" otherwise. */
  readonly reason: string;
}

/** Loads and unloads models while the server runs. Drivers have it as `RestrictedInferenceProcess.repository`. */
export interface RepositoryControl {
  /** Whether the server may call itself ready as far as its models go. Default: it may. */
  readonly isReady?: boolean;
  /** All models that could be served, and their states. */
  index(): Promise<readonly RepositoryEntry[]>;
  /**
   * Loads a model, or loads it again: requests go to what is served now until the new one is ready.
   * @param parameters As the protocol has them, such as `config`: a configuration in JSON instead of the directory's.
   * @throws HeadraceError MODEL_NOT_FOUND, MODEL_INVALID, INVALID_ARGUMENT, UNIMPLEMENTED. What was served stays so.
   */
  load(name: string, parameters?: Readonly<Record<string, unknown>>): Promise<void>;
  /** Serves a model no longer, once what was accepted is answered. Throws MODEL_NOT_FOUND. */
  unload(name: string, parameters?: Readonly<Record<string, unknown>>): Promise<void>;
}
