/** Measures every case of a sweep, several times, and puts the figures together. */
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bug, InvalidArgumentError } from "../errors.js";
import { VERSION } from "../version.js";
import { type CasePlan, loadOf, planCases } from "./cases.js";
import { planCores } from "./cores.js";
import { type EngineModel, engineModel } from "./engine-model.js";
import { makeSteps, type Step } from "./input.js";
import { describeMachine } from "./machine.js";
import type { ServedModel } from "./management.js";
import { type MeasureContext, measureServed } from "./measure.js";
import { measureEngine } from "./measure-engine.js";
import type { BenchOptions, BenchProgress, CorePlan } from "./options.js";
import { summaryOf } from "./repetition.js";
import { encodeRequests } from "./requests.js";
import type { BenchProtocol, BenchResult, JsonObject, Repetition } from "./result.js";
import { isModelFile, openTarget, sha256, type Target } from "./target.js";

const SILENT: BenchProgress = { begin: () => {}, window: () => {} };

/**
 * Repetitions are interleaved (A B C, A B C, …), so that a machine that slows down or warms up hits all cases alike.
 *
 * ```ts
 * const result = await runBench({ ...DEFAULTS, target: "gru.onnx", repetitions: 1 });
 * result.cases[0]?.summary.ratePerSecond.median;
 * ```
 *
 * @throws INVALID_ARGUMENT for options that contradict the target, UNAVAILABLE where it does not start or answer. What
 *   goes wrong under load is in the result.
 */
export async function runBench(options: BenchOptions, progress: BenchProgress = SILENT): Promise<BenchResult> {
  const machine = describeMachine();
  const cores = planCores(options.cores);
  const target = await openTarget(options, cores.server);
  const folder = await mkdtemp(join(tmpdir(), "headrace-bench-"));
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", clean);
  try {
    const model = await describe(target);
    const stateful = options.stateful ?? model.stateful;
    refuseRows(stateful, options);
    const steps = await makeSteps(model.inputs, options);
    const engine = await engineOf(model, options);
    const context: SweepContext = {
      engine,
      steps,
      folder,
      target,
      model,
      options,
      cores,
      stateful,
      requestsFor: requestWriter(folder, steps, { model, options, stateful }),
    };
    const plans = planCases(chosenProtocols(target, model, engine, options), options.loads);
    const startedAt = new Date().toISOString();
    const figures = await measureAll(plans, context, progress);
    return {
      schemaVersion: 1,
      tool: { name: "headrace", version: VERSION },
      startedAt,
      machine,
      target: {
        kind: target.kind,
        name: options.target,
        model: model.name,
        stateful,
        ...(target.kind === "url" && model.server !== undefined ? { server: model.server } : {}),
        ...(isModelFile(options.target) && target.kind === "model" ? { sha256: await sha256(options.target) } : {}),
        ...(options.serveArguments.length > 0 ? { options: { serve: options.serveArguments } } : {}),
      },
      command: options.command,
      method: methodOf(options, cores),
      cases: plans.map(({ name, protocol, plan }, i) => {
        const repetitions = figures[i] ?? [];
        return { name, protocol, mode: plan.mode, load: loadOf(plan), repetitions, summary: summaryOf(repetitions) };
      }),
    };
  } finally {
    clean();
    process.off("exit", clean);
  }
}

async function describe(target: Target): Promise<ServedModel> {
  const served = await target.serve("http-json");
  try {
    return await served.management.describe(served.model);
  } finally {
    await served.stop();
  }
}

function refuseRows(stateful: boolean, { rows }: BenchOptions): void {
  if (rows > 1 && stateful) {
    throw new InvalidArgumentError("a step of a sequence is one row; see --stateless", { path: "--rows" });
  }
}

/** What the engine alone can be measured with: one model, one row at a time, and no text. */
async function engineOf({ inputs }: ServedModel, { pipeline, rows }: BenchOptions): Promise<EngineModel | undefined> {
  if (pipeline === undefined || rows > 1 || inputs.some(({ datatype }) => datatype === "BYTES")) return undefined;
  return engineModel(await pipeline());
}

function chosenProtocols(
  target: Target,
  model: ServedModel,
  engine: EngineModel | undefined,
  { protocols, rows, pipeline }: BenchOptions,
): readonly BenchProtocol[] {
  const isRaw = model.inputs.length === 1 && rows === 1;
  const all: readonly BenchProtocol[] = engine === undefined ? target.protocols : ["engine", ...target.protocols];
  if (protocols === undefined) return all.filter((protocol) => protocol !== "ws-raw" || isRaw);
  for (const protocol of protocols) {
    if (protocol === "engine" && pipeline !== undefined && rows > 1) {
      throw new InvalidArgumentError("the engine is measured with one row; leave it out of --protocol", {
        path: "--rows",
      });
    }
    if (!all.includes(protocol)) {
      const message = `${protocol} cannot be measured of this target; ${all.join(", ")} can`;
      throw new InvalidArgumentError(message, { path: "--protocol" });
    }
    if (protocol === "ws-raw" && !isRaw) {
      throw new InvalidArgumentError("ws-raw is for one row of a model with one input", { path: "--protocol" });
    }
  }
  return protocols;
}

interface SweepContext extends MeasureContext {
  readonly engine: EngineModel | undefined;
  readonly steps: readonly Step[];
  readonly folder: string;
}

async function measureAll(
  plans: readonly CasePlan[],
  context: SweepContext,
  progress: BenchProgress,
): Promise<Repetition[][]> {
  const figures: Repetition[][] = plans.map(() => []);
  const total = plans.length * context.options.repetitions;
  for (let repetition = 0; repetition < context.options.repetitions; repetition += 1) {
    for (const [i, plan] of plans.entries()) {
      progress.begin({ name: plan.name, index: repetition * plans.length + i, total });
      figures[i]?.push(await measureOne(plan, context, progress));
    }
  }
  return figures;
}

async function measureOne(
  { name, protocol, plan }: CasePlan,
  context: SweepContext,
  progress: BenchProgress,
): Promise<Repetition> {
  if (protocol !== "engine") return measureServed({ name, protocol, plan }, context, progress);
  const { engine } = context;
  if (engine === undefined || plan.mode !== "closed") throw bug(`a case ${name} was planned`);
  return measureEngine(plan.concurrency, { ...context, engine }, progress);
}

type Written = Pick<MeasureContext, "model" | "options" | "stateful">;

/** Requests differ by protocol, and over HTTP by the port in them. */
function requestWriter(
  folder: string,
  steps: readonly Step[],
  { model, options, stateful }: Written,
): MeasureContext["requestsFor"] {
  const file = join(folder, "requests");
  return async (protocol, host) => {
    const endsSequences = options.sequenceLength !== undefined;
    const bytes = encodeRequests(steps, { protocol, model, host, headers: options.headers, stateful, endsSequences });
    await writeFile(file, bytes);
    return file;
  };
}

function methodOf(options: BenchOptions, cores: CorePlan): JsonObject {
  const { target: _, command: __, headers, cores: ___, pipeline: ____, sequenceLength, ...rest } = options;
  const plain = JSON.parse(JSON.stringify(rest)) as JsonObject;
  return {
    ...plain,
    sequenceLength: sequenceLength === undefined ? "endless" : { ...sequenceLength },
    // Their values may be secret.
    headers: Object.keys(headers),
    cores: { server: cores.server ?? "any", generator: cores.generator ?? "any" },
    stability: "the last 3 windows within 10 % of their mean, in rate and in p99",
    saturation: "the generator is busy for more than 90 % of the time",
  };
}
