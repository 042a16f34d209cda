/** One measurement: a fresh server, a load on it, and what both of them say. */
import { toHeadraceError } from "../errors.js";
import { type CasePlan, connectionsOf, slotsOf } from "./cases.js";
import { type GeneratorOutcome, generate } from "./generator.js";
import type { ModelStatistics, ServedModel } from "./management.js";
import type { BenchOptions, BenchProgress, CorePlan } from "./options.js";
import { failedRepetition, repetitionOf, serverSide } from "./repetition.js";
import { modelPath, rawInput } from "./requests.js";
import type { BenchProtocol, Repetition } from "./result.js";
import type { Served, Target } from "./target.js";

export interface MeasureContext {
  readonly target: Target;
  readonly model: ServedModel;
  readonly options: BenchOptions;
  readonly cores: CorePlan;
  readonly stateful: boolean;
  /** The file with the requests of a protocol for this host. */
  requestsFor(protocol: Exclude<BenchProtocol, "engine">, host: string): Promise<string>;
}

/** As kSaturatedFraction in the generator (native/loadgen/run.cc). */
const SATURATED = 0.9;
/** What the generator says of connections that end. */
const LOST = /closed the connection|^(recv|send)\b|does not speak HTTP\/2/;

type ServedCase = CasePlan & { readonly protocol: Exclude<BenchProtocol, "engine"> };

/** Never throws for what server or generator do wrong: that is a repetition with an error. */
export async function measureServed(
  one: ServedCase,
  context: MeasureContext,
  progress: BenchProgress,
): Promise<Repetition> {
  let served: Served | undefined;
  try {
    served = await context.target.serve(one.protocol);
    return await underLoad(one, served, context, progress);
  } catch (error) {
    return failedRepetition(because(toHeadraceError(error).message, served));
  } finally {
    await served?.stop();
  }
}

/** What the generator saw of a failure, and where that is a connection that was lost, why. */
function because(problem: string, served: Served | undefined): string {
  const why = served?.tunnel?.problem ?? "";
  return why !== "" && LOST.test(problem) ? `${problem}: ${why}` : problem;
}

async function underLoad(
  { protocol, plan }: ServedCase,
  served: Served,
  { model, options, cores, stateful, requestsFor }: MeasureContext,
  progress: BenchProgress,
): Promise<Repetition> {
  const endpoint = served.endpoint(protocol);
  const slots = slotsOf(plan, options.maxInFlight);
  const connections = connectionsOf(protocol, slots, options.connections);
  let before: ModelStatistics | undefined;
  let tunnelBusy = 0;
  const outcome = await generate(
    {
      protocol,
      endpoint,
      path: streamPath(protocol, model, Math.ceil(slots / connections)),
      requests: await requestsFor(protocol, endpoint.host),
      slots,
      connections,
      load: plan,
      timing: options.timing,
      sequenceLength: stateful ? options.sequenceLength : undefined,
      headers: options.headers,
      seed: options.seed,
      serverPid: served.pid,
      core: cores.generator,
    },
    {
      warm: async () => {
        await served.tunnel?.begin();
        before = await statistics(served, model.name);
      },
      window: ({ rate, p99_us }) => {
        tunnelBusy = served.tunnel?.busyFraction ?? 0;
        progress.window(rate, p99_us);
      },
    },
  );
  const after = await statistics(served, model.name);
  const first_error = outcome.first_error === "" ? "" : because(outcome.first_error, served);
  const seen = { ...throughTunnel(outcome, tunnelBusy), first_error };
  return repetitionOf(seen, served.pid !== undefined, serverSide(before, after));
}

/** The busier of the two that stand for clients is what may have been measured. */
function throughTunnel(outcome: GeneratorOutcome, busy: number): GeneratorOutcome {
  return {
    ...outcome,
    client_busy_fraction: Math.max(outcome.client_busy_fraction, busy),
    saturated: outcome.saturated || busy > SATURATED,
  };
}

/** A server without statistics, or one that has just died, has figures of the generator all the same. */
async function statistics(served: Served, model: string): Promise<ModelStatistics | undefined> {
  return served.management.statistics(model).catch(() => undefined);
}

function streamPath(protocol: BenchProtocol, model: ServedModel, streams: number): string {
  const path = `${modelPath(model.name)}/stream`;
  if (protocol !== "ws-raw") return path;
  return `${path}?raw=${encodeURIComponent(rawInput(model))}&streams=${streams}`;
}
