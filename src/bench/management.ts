/** What a server tells about itself and its models, whichever protocol it is asked over. */
import type { TensorMetadata } from "../protocol/index.js";
import type { ToolVersion } from "./result.js";

/** A number of times, and how long they took together, in nanoseconds. */
export interface CountedTime {
  readonly count: number;
  readonly ns: number;
}

/** V2's statistics, as far as they are used here. */
export interface ModelStatistics {
  readonly queue: CountedTime;
  readonly input: CountedTime;
  readonly infer: CountedTime;
  readonly output: CountedTime;
  /** Runs by their number of rows. */
  readonly runs: ReadonlyMap<number, number>;
}

/** A model as its server describes it. */
export interface ServedModel {
  readonly name: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
  readonly stateful: boolean;
  readonly server: ToolVersion | undefined;
}

export interface Management {
  /** @throws INVALID_ARGUMENT where `name` is needed, MODEL_NOT_FOUND where there is none of that name. */
  describe(name: string | undefined): Promise<ServedModel>;
  /** Undefined where the server keeps none. */
  statistics(name: string): Promise<ModelStatistics | undefined>;
  close(): void;
}

/** JSON of which nothing is known yet: a path of keys into it, or undefined where it leads nowhere. */
export function at(value: unknown, ...keys: readonly (string | number)[]): unknown {
  let here = value;
  for (const key of keys) {
    if (typeof here !== "object" || here === null) return undefined;
    here = (here as Readonly<Record<string | number, unknown>>)[key];
  }
  return here;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function counted(value: unknown): CountedTime {
  return { count: Number(at(value, "count") ?? 0), ns: Number(at(value, "ns") ?? 0) };
}

/** From the JSON of V2's statistics, or the message of gRPC, whose names are the same. */
export function statisticsOf(answer: unknown): ModelStatistics | undefined {
  const model = at(answer, "model_stats", 0);
  if (model === undefined) return undefined;
  const times = at(model, "inference_stats");
  return {
    queue: counted(at(times, "queue")),
    input: counted(at(times, "compute_input")),
    infer: counted(at(times, "compute_infer")),
    output: counted(at(times, "compute_output")),
    runs: new Map(
      list(at(model, "batch_stats")).map((batch) => [
        Number(at(batch, "batch_size")),
        Number(at(batch, "compute_infer", "count")),
      ]),
    ),
  };
}

/** From a list of V2's metadata. */
export function tensorsOf(value: unknown): TensorMetadata[] {
  return list(value).map((tensor) => ({
    name: String(at(tensor, "name")),
    datatype: String(at(tensor, "datatype")) as TensorMetadata["datatype"],
    shape: list(at(tensor, "shape")).map(Number),
  }));
}

/** From a list of the repository's index: the names of models that can be asked. */
export function readyModels(index: unknown): string[] {
  const names = list(index)
    .filter((model) => (at(model, "state") ?? "READY") === "READY")
    .map((model) => String(at(model, "name")));
  return [...new Set(names)];
}
