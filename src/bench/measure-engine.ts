/** The engine alone, in a process of its own without a server: what the protocols are to be compared with. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runtimeLibrary } from "../engine/runtime-library.js";
import { HeadraceError, toHeadraceError } from "../errors.js";
import { binaryOf } from "../protocol/index.js";
import { pinned } from "./cores.js";
import { type EngineModel, modelFile } from "./engine-model.js";
import { needGenerator, runProgram, timingArguments } from "./generator.js";
import type { Step } from "./input.js";
import type { ServedModel } from "./management.js";
import type { BenchOptions, BenchProgress, CorePlan } from "./options.js";
import { failedRepetition, repetitionOf } from "./repetition.js";
import { requestFile } from "./request-file.js";
import type { Repetition } from "./result.js";

const PROGRAM = fileURLToPath(new URL("../../build/native/Release/headrace-engine-loop", import.meta.url));

export interface EngineContext {
  readonly engine: EngineModel;
  readonly model: ServedModel;
  readonly steps: readonly Step[];
  readonly folder: string;
  readonly options: BenchOptions;
  readonly cores: CorePlan;
  readonly stateful: boolean;
}

/** Never throws for what the model does wrong: that is a repetition with an error. */
export async function measureEngine(
  concurrency: number,
  context: EngineContext,
  progress: BenchProgress,
): Promise<Repetition> {
  needGenerator(PROGRAM);
  try {
    const command = await commandOf(concurrency, context);
    const outcome = await runProgram(pinned(context.cores.server, command), {
      window: ({ rate, p99_us }) => progress.window(rate, p99_us),
    });
    const { phases, batch_sizes: batchSizes } = outcome;
    const counters = {
      ...(phases === undefined ? {} : { phases }),
      ...(batchSizes === undefined ? {} : { batchSizes }),
    };
    return repetitionOf(outcome, true, counters);
  } catch (error) {
    return failedRepetition(toHeadraceError(error).message);
  }
}

async function commandOf(concurrency: number, context: EngineContext): Promise<[string, ...string[]]> {
  const { engine, model, steps, folder, options, stateful } = context;
  const [first] = steps;
  if (first === undefined) throw new HeadraceError("INTERNAL", "no step to measure");
  const isBatched = (name: string): boolean => model.inputs.find((input) => input.name === name)?.shape[0] === -1;
  const files = { model: join(folder, "model"), requests: join(folder, "engine-requests") };
  const bodies = steps.map((step) => [{ gap: 0, bytes: Buffer.concat(Object.values(step).map(binaryOf)) }]);
  await writeFile(files.model, modelFile(engine, first, isBatched));
  await writeFile(files.requests, requestFile("none", bodies));
  const length = stateful ? options.sequenceLength : undefined;
  const values = {
    ort: runtimeLibrary(),
    ...files,
    slots: concurrency,
    stateful: stateful ? 1 : 0,
    "min-length": length?.min ?? 0,
    "max-length": length?.max ?? 0,
    seed: options.seed,
    ...timingArguments(options.timing),
  };
  return [PROGRAM, ...Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)])];
}
