/** One configuration under the load in question, or, where the question is how much it can take, under rising loads. */
import { configurationText, type TuneConfiguration } from "./configuration.js";
import type { Objective } from "./objective.js";
import type { Outcome } from "./search.js";
import { bestOf, failureOf, type Measured, NOISE, type Trial, type TuneLoad } from "./trial.js";

/** A server with one configuration, in a process of its own. */
export interface TuneServer {
  measure(load: TuneLoad): Promise<Measured>;
  close(): Promise<void>;
}

export type OpenServer = (configuration: TuneConfiguration) => Promise<TuneServer>;

/** A load that is given, or "throughput": the most that can be had. */
export type Goal = TuneLoad | "throughput";

/** Told before each measurement. */
export type Progress = (text: string) => void;

/** Requests in flight, from one to where queues are all that grows. */
const RISING = [1, 4, 16, 32, 64, 128, 256, 512, 1024];

/** Measures one configuration. The server is closed, whatever happens. */
export async function evaluate(
  configuration: TuneConfiguration,
  goal: Goal,
  objective: Objective,
  open: OpenServer,
  progress: Progress,
): Promise<Outcome> {
  const server = await open(configuration);
  try {
    const measure = async (load: TuneLoad): Promise<Trial> => {
      progress(`${configurationText(configuration)}: ${loadName(load)}`);
      const measured = await server.measure(load);
      const failure = failureOf(measured, objective);
      return { configuration, load, measured, ...(failure === undefined ? {} : { failure }) };
    };
    const trials = goal === "throughput" ? await rising(measure) : [await measure(goal)];
    const best = bestOf(trials, objective);
    if (best === undefined) throw new RangeError("a configuration is tried with one load at least");
    return { configuration, trials, best };
  } finally {
    await server.close();
  }
}

function loadName({ mode, load }: TuneLoad): string {
  if (mode === "closed") return `${load.concurrency} in flight`;
  return mode === "streams" ? `${load.streams} streams` : `${load.ratePerSecond}/s`;
}

/** More and more in flight, until the objective is missed or nothing is gained; then once between the last two. */
async function rising(measure: (load: TuneLoad) => Promise<Trial>): Promise<Trial[]> {
  const trials: Trial[] = [];
  let idle = 0;
  for (const concurrency of RISING) {
    const trial = await measure({ mode: "closed", load: { concurrency } });
    const before = trials.at(-1);
    trials.push(trial);
    if (trial.failure !== undefined) {
      const between = middle(before, concurrency);
      if (between !== undefined) trials.push(await measure({ mode: "closed", load: { concurrency: between } }));
      break;
    }
    const gained = before === undefined || trial.measured.ratePerSecond > before.measured.ratePerSecond * (1 + NOISE);
    idle = gained ? 0 : idle + 1;
    if (idle === 2) break;
  }
  return trials;
}

function middle(before: Trial | undefined, concurrency: number): number | undefined {
  const last = before?.load.load.concurrency ?? concurrency;
  const between = Math.round((last + concurrency) / 2);
  return between > last && between < concurrency ? between : undefined;
}
