/** `headrace tune` as a function: calibrated grid, coordinate search, and a confirmation that the winner did win. */
import { median } from "../statistics.js";
import {
  type Axis,
  axes,
  type Calibration,
  defaultConfiguration,
  keyOf,
  type TuneConfiguration,
} from "./configuration.js";
import { evaluate, type Goal, type OpenServer, type Progress } from "./evaluate.js";
import type { Objective } from "./objective.js";
import { type Outcome, search } from "./search.js";
import { failureOf, isBetter, type Measured, type Trial, type TuneLoad } from "./trial.js";

export interface TuneOptions {
  readonly objective: Objective;
  readonly goal: Goal;
  readonly calibration: Calibration;
  /** That the server may use. */
  readonly cores: number;
  /** Configurations to measure at most. */
  readonly most: number;
  /** How often the winner and the default are measured again, in turns. */
  readonly repetitions: number;
  readonly open: OpenServer;
  readonly progress?: Progress;
}

export interface TuneResult {
  readonly objective: Objective;
  readonly goal: Goal;
  readonly calibration: Calibration;
  /** In the order in which they were tried; the first has the default configuration. */
  readonly outcomes: readonly Outcome[];
  /** What meets the objective best, measured again; missing when nothing does. */
  readonly winner?: Trial;
  /** The default configuration at the winner's load, measured in turns with it; missing when there is no winner. */
  readonly baseline?: Trial;
  /** What was tried along each axis from the winner, or from what came closest. */
  readonly neighbours: readonly Neighbourhood[];
  /** Won the search and, measured again, did not meet the objective or was no better than the default. */
  readonly withdrawn: readonly Trial[];
  /** Whether more would have been tried if `most` had let it. */
  readonly cutShort: boolean;
}

export interface Neighbourhood {
  readonly axis: string;
  readonly outcomes: readonly Outcome[];
}

/** How many of the search's winners are given a second look. */
const CANDIDATES = 3;

export async function tune(options: TuneOptions): Promise<TuneResult> {
  const { objective, goal, calibration, cores, most, open, progress = () => {} } = options;
  const grid = axes(calibration, objective.limitMicros, cores);
  const start = defaultConfiguration(calibration);
  const tried = new Map<string, Outcome>();
  const { outcomes, best, cutShort } = await search({
    axes: grid,
    start,
    objective,
    most,
    evaluate: async (configuration) => {
      const which = `configuration ${tried.size + 1} of at most ${most}`;
      const outcome = await evaluate(configuration, goal, objective, open, (text) => progress(`${which}: ${text}`));
      tried.set(keyOf(configuration), outcome);
      return outcome;
    },
  });
  const confirmed = await confirm(outcomes, options);
  const centre = confirmed.winner?.configuration ?? best.configuration;
  return {
    objective,
    goal,
    calibration,
    outcomes,
    ...confirmed,
    neighbours: neighbours(grid, centre, outcomes),
    cutShort,
  };
}

/**
 * The best of the search against the default in turns; should they not hold, the next ones. What is no better than the
 * default when measured side by side is not worth configuring.
 */
async function confirm(
  outcomes: readonly Outcome[],
  options: TuneOptions,
): Promise<Pick<TuneResult, "winner" | "baseline" | "withdrawn">> {
  const { objective } = options;
  const [start, ...others] = outcomes;
  if (start === undefined) return { withdrawn: [] };
  const challengers = others
    .filter(({ best }) => best.failure === undefined && isBetter(best, start.best, objective))
    .sort((a, b) => (isBetter(a.best, b.best, objective, 0) ? -1 : 1));
  const withdrawn: Trial[] = [];
  for (const { best } of challengers.slice(0, CANDIDATES)) {
    const [baseline, again] = await inTurns([start.configuration, best.configuration], best.load, options);
    if (baseline === undefined || again === undefined) break;
    if (again.failure === undefined && isBetter(again, baseline, objective)) {
      return { winner: again, baseline, withdrawn };
    }
    withdrawn.push(again);
  }
  const [baseline] = await inTurns([start.configuration], start.best.load, options);
  return baseline === undefined || baseline.failure !== undefined
    ? { withdrawn }
    : { winner: baseline, baseline, withdrawn };
}

/** A B, A B, …: a machine that slows down meanwhile slows both. */
async function inTurns(
  configurations: readonly TuneConfiguration[],
  load: TuneLoad,
  { objective, open, repetitions, progress = () => {} }: TuneOptions,
): Promise<Trial[]> {
  const measured = configurations.map((): Measured[] => []);
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    for (const [i, configuration] of configurations.entries()) {
      const which = `confirming, ${repetition} of ${repetitions}`;
      const outcome = await evaluate(configuration, load, objective, open, (text) => progress(`${which}: ${text}`));
      measured[i]?.push(outcome.best.measured);
    }
  }
  return configurations.map((configuration, i) => {
    const together = medians(measured[i] ?? []);
    const failure = failureOf(together, objective);
    return { configuration, load, measured: together, ...(failure === undefined ? {} : { failure }) };
  });
}

/** Each figure the median over repetitions; errors and what is unfinished added up, since none may be lost. */
function medians(all: readonly Measured[]): Measured {
  const of = (pick: (one: Measured) => number | undefined): number | undefined => {
    const values = all.map(pick).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : median(values);
  };
  const latency = (name: keyof Measured["latencyMicros"]): number =>
    of(({ latencyMicros }) => latencyMicros[name]) ?? 0;
  const firstError = all.find((one) => one.firstError !== undefined)?.firstError;
  const optional = {
    offeredPerSecond: of((one) => one.offeredPerSecond),
    cpuFraction: of((one) => one.cpuFraction),
    meanBatch: of((one) => one.meanBatch),
  };
  return {
    ratePerSecond: of((one) => one.ratePerSecond) ?? 0,
    latencyMicros: {
      p50: latency("p50"),
      p90: latency("p90"),
      p99: latency("p99"),
      p999: latency("p999"),
      max: latency("max"),
    },
    errors: all.reduce((sum, { errors }) => sum + errors, 0),
    unfinished: all.reduce((sum, { unfinished }) => sum + unfinished, 0),
    saturated: all.some(({ saturated }) => saturated),
    ...(firstError === undefined ? {} : { firstError }),
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<Measured>),
  };
}

function neighbours(grid: readonly Axis[], centre: TuneConfiguration, outcomes: readonly Outcome[]): Neighbourhood[] {
  return grid.map(({ name, settings }) => {
    const keys = settings.map((setting) => keyOf({ ...centre, ...setting }));
    return { axis: name, outcomes: keys.flatMap((key) => outcomes.filter((one) => keyOf(one.configuration) === key)) };
  });
}
