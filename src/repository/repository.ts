import { HeadraceError, InvalidArgumentError, serverStopping } from "../errors.js";
import { makeLogger } from "../log.js";
import type { InferenceProcess, RepositoryControl, RepositoryEntry, Runtime, StopOptions } from "../runtime/index.js";
import { shown } from "../shown.js";
import { ModelDirectory } from "./folder.js";
import { type ModelHost, RepositoryModel } from "./repository-model.js";

/** What a `ModelRepository` is made with. */
export interface ModelRepositoryOptions {
  /** The model directory: a folder for each model, as in `NAME/VERSION/model.onnx`. */
  readonly directory: string;
  /**
   * Adds the drivers that serve a model, and waits until they are up. Called for every version that is loaded; its drivers must
   * take over from those of the process before it, as HttpDriver does with `replace: true`.
   */
  readonly addDrivers: (process: InferenceProcess) => Promise<void>;
  /** Which models `start` loads. Default: "all". */
  readonly load?: "all" | readonly string[];
  /** Whether the server is ready only while every model that `start` should load is served. Default: false. */
  readonly strictReadiness?: boolean;
  /** How a version that has been replaced is stopped. Default: it has 10 s to answer what it took. */
  readonly stopping?: StopOptions;
}

/** A model that could not be loaded, and why. */
export interface FailedModel {
  readonly name: string;
  readonly error: unknown;
}

/**
 * The models of a directory in Triton's layout, each version in an inference process of its own. Loading is load-then-swap:
 * requests go to what is served until the new process and its drivers are up, and what that one took it finishes. docs/repository.md
 * has the layout and what of config.pbtxt is heeded.
 *
 * ```ts
 * const front = await openHttpPort(runtime, { port: 8000 });
 * const repository = await ModelRepository.open(runtime, {
 *   directory: "models",
 *   addDrivers: async (process) => {
 *     await process.addDriver("http", HttpDriver, { port: front.port, replace: true });
 *   },
 * });
 * runtime.useRepository(repository);
 * const failed = await repository.start();
 * ```
 */
export class ModelRepository implements RepositoryControl {
  private readonly models = new Map<string, RepositoryModel>();
  private readonly wanted = new Set<string>();
  private isStarted = false;
  private isClosed = false;

  private constructor(
    private readonly host: ModelHost,
    private readonly options: ModelRepositoryOptions,
  ) {}

  /** Looks at the directory, and loads nothing yet. Throws NOT_FOUND, INVALID_ARGUMENT. */
  static async open(runtime: Runtime, options: ModelRepositoryOptions): Promise<ModelRepository> {
    const { addDrivers, stopping = {} } = options;
    const directory = await ModelDirectory.open(options.directory);
    const log = makeLogger("repository", runtime.mode === "debug" ? "debug" : "warn");
    return new ModelRepository({ runtime, directory, addDrivers, stopping, log }, options);
  }

  /** Whether the server should call itself ready: once `start` has tried to load every model, and see `strictReadiness`. */
  get isReady(): boolean {
    if (!this.isStarted || !this.options.strictReadiness) return this.isStarted;
    return [...this.wanted].every((name) => this.models.get(name)?.isServed);
  }

  /** Loads the models that the options name, one after the other. Those that cannot be loaded do not keep the others from it. */
  async start(): Promise<readonly FailedModel[]> {
    const { load = "all" } = this.options;
    const failed: FailedModel[] = [];
    for (const name of load === "all" ? await this.host.directory.names() : load) this.wanted.add(name);
    for (const name of this.wanted) {
      if (this.isClosed) break;
      try {
        await this.load(name);
      } catch (error) {
        failed.push({ name, error });
      }
    }
    this.isStarted = true;
    return failed;
  }

  /** Loads nothing more. What is served stays so: it is the runtime's to stop. */
  close(): void {
    this.isClosed = true;
  }

  async index(): Promise<readonly RepositoryEntry[]> {
    const names = new Set([...(await this.host.directory.names()), ...this.models.keys()]);
    return [...names].sort().flatMap((name) => {
      return this.models.get(name)?.entries() ?? [{ name, version: "", state: "UNAVAILABLE", reason: "not loaded" }];
    });
  }

  /**
   * Loads a model, or loads it again. Versions of which neither the files nor the configuration have changed stay as they are,
   * with the states of their sequences; of others the sequences begin anew.
   * @param parameters `config`: a configuration in JSON in place of config.pbtxt, until it is loaded again.
   */
  async load(name: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<void> {
    if (this.isClosed) throw serverStopping();
    const config = configOf(parameters);
    const known = this.models.get(name);
    // Only what has a folder is remembered, or anybody could fill the index with names.
    if (known === undefined) await this.host.directory.model(name).catch(refuseUnknown);
    const model = this.models.get(name) ?? new RepositoryModel(name, this.host);
    this.models.set(name, model);
    await model.load(config);
  }

  /** Serves a model no longer; done when what it took is answered. Does nothing where it is not loaded. */
  async unload(name: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<void> {
    for (const key of Object.keys(parameters)) {
      // There are no ensembles, so nothing depends on a model.
      if (key !== "unload_dependents") throw unknownParameter(key, "unload_dependents");
    }
    const model = this.models.get(name);
    if (model !== undefined) return model.unload();
    if ((await this.host.directory.names()).includes(name)) return;
    throw new HeadraceError("MODEL_NOT_FOUND", `failed to unload '${name}': there is no such model`);
  }
}

/** A folder that is there but wrong is a model that cannot be loaded, and the index says why. */
function refuseUnknown(error: unknown): void {
  if (!(error instanceof HeadraceError) || error.code !== "MODEL_INVALID") throw error;
}

function configOf(parameters: Readonly<Record<string, unknown>>): string | undefined {
  let config: string | undefined;
  for (const [key, value] of Object.entries(parameters)) {
    const path = `parameters.${key}`;
    if (key.startsWith("file:")) {
      throw new HeadraceError("UNIMPLEMENTED", "models are read from the model directory only", { path });
    }
    if (key !== "config") throw unknownParameter(key, "config");
    if (typeof value !== "string") {
      throw new InvalidArgumentError(`expected a configuration in JSON, as a string, got ${shown(value)}`, { path });
    }
    config = value;
  }
  return config;
}

function unknownParameter(key: string, known: string): InvalidArgumentError {
  return new InvalidArgumentError(`there is no such parameter; there is ${known}`, { path: `parameters.${key}` });
}
