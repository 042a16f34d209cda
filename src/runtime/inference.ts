import { resolve } from "node:path";
import { InvalidArgumentError } from "../errors.js";
import type { Pipeline } from "../pipeline/index.js";
import { shown } from "../shown.js";
import type { RequestPolicy } from "./request-policy.js";

/** Parameters of cells, by cell ref and parameter name. */
export type CellParameters = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What an `Inference` is made of. */
export interface InferenceOptions<P> {
  readonly pipeline: P;
  /** Values of cells' parameters; those with a default may be left out. Default: none given. */
  readonly parameters?: CellParameters;
  /** The folder that function cells' `load` is given for their models and other files. Default: the working directory. */
  readonly modelPath?: string;
  /** Seconds that an unused state of a function cell is kept. Default: 60. ONNX cells have their own option of that name. */
  readonly stateTtlSeconds?: number;
  /** States of function cells kept at the same time. Default: 10000. */
  readonly maxStates?: number;
  /** The version that clients know it by, a positive integer in digits; a server may have several of one name. Default: "1". */
  readonly version?: string;
  /**
   * Seconds without the end of any batch, while steps are in a model's engine, after which the process is not ready: see
   * docs/observability.md. Longer than the longest run of a model. Default: 30.
   */
  readonly stallSeconds?: number;
  /** What happens at `maxStates`: "refuse" the new state id, or drop the idle state stepped longest ago. Default: "refuse". */
  readonly evict?: "refuse" | "lru";
  /** What becomes of timeouts and priorities that clients ask for. Default: they get what they ask for. */
  readonly requestPolicy?: RequestPolicy;
  /**
   * What V2's model configuration says of it beyond what follows from the pipeline: fields of Triton's ModelConfig, in JSON.
   * Default: nothing.
   */
  readonly modelConfig?: Readonly<Record<string, unknown>>;
}

/**
 * What to run: a pipeline plus its parameters. A description; `runtime.startInference` loads the models.
 *
 * ```ts
 * const inference = new Inference({ pipeline, parameters: { "my-cell": { adder: 3 } }, maxStates: 100, evict: "lru" });
 * const proc = await runtime.startInference(inference);
 * ```
 */
export class Inference<P extends Pipeline = Pipeline> {
  readonly pipeline: P;
  readonly parameters: CellParameters;
  /** Absolute. */
  readonly modelPath: string;
  readonly stateTtlSeconds: number;
  readonly maxStates: number;
  readonly evict: "refuse" | "lru";
  readonly version: string;
  readonly stallSeconds: number;
  readonly requestPolicy: RequestPolicy;
  readonly modelConfig: Readonly<Record<string, unknown>>;

  /** @throws InvalidArgumentError for parameters of cells that the pipeline does not have. */
  constructor(options: InferenceOptions<P>) {
    this.pipeline = options.pipeline;
    this.parameters = options.parameters ?? {};
    this.modelPath = resolve(options.modelPath ?? ".");
    this.stateTtlSeconds = options.stateTtlSeconds ?? 60;
    this.maxStates = options.maxStates ?? 10_000;
    this.evict = options.evict ?? "refuse";
    this.version = options.version ?? "1";
    this.stallSeconds = options.stallSeconds ?? 30;
    this.requestPolicy = options.requestPolicy ?? {};
    this.modelConfig = options.modelConfig ?? {};
    for (const ref of Object.keys(this.parameters)) {
      if (Object.hasOwn(this.pipeline.cells, ref)) continue;
      const known = Object.keys(this.pipeline.cells).join(", ");
      throw new InvalidArgumentError(`there is no such cell; the pipeline's cells are ${known}`, {
        path: `parameters.${ref}`,
      });
    }
    if (!(this.stateTtlSeconds > 0)) {
      throw new InvalidArgumentError(`expected seconds above 0, got ${this.stateTtlSeconds}`, {
        path: "stateTtlSeconds",
      });
    }
    if (!Number.isSafeInteger(this.maxStates) || this.maxStates < 1) {
      throw new InvalidArgumentError(`expected an integer of at least 1, got ${this.maxStates}`, { path: "maxStates" });
    }
    if (typeof this.version !== "string" || !/^[1-9]\d{0,14}$/.test(this.version)) {
      throw new InvalidArgumentError(`expected a positive integer in digits, such as "2", got ${shown(this.version)}`, {
        path: "version",
      });
    }
    if (!(typeof this.stallSeconds === "number" && this.stallSeconds > 0)) {
      throw new InvalidArgumentError(`expected seconds above 0, got ${shown(this.stallSeconds)}`, {
        path: "stallSeconds",
      });
    }
    if (this.evict !== "refuse" && this.evict !== "lru") {
      throw new InvalidArgumentError(`expected "refuse" or "lru", got ${JSON.stringify(this.evict)}`, {
        path: "evict",
      });
    }
  }
}
