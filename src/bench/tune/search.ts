/** Coordinate search: one setting is turned while the others stay, until no turn helps. */
import { type Axis, keyOf, type TuneConfiguration } from "./configuration.js";
import type { Objective } from "./objective.js";
import { isBetter, type Trial } from "./trial.js";

/** What was measured of one configuration. */
export interface Outcome {
  readonly configuration: TuneConfiguration;
  /** Every load that was tried. */
  readonly trials: readonly Trial[];
  /** The one that speaks for it. */
  readonly best: Trial;
}

export interface SearchOptions {
  readonly axes: readonly Axis[];
  readonly start: TuneConfiguration;
  readonly objective: Objective;
  /** Configurations to measure at most. */
  readonly most: number;
  /** Called once for each configuration. */
  readonly evaluate: (configuration: TuneConfiguration) => Promise<Outcome>;
}

export interface SearchResult {
  /** In the order in which they were tried; the first is the start. */
  readonly outcomes: readonly Outcome[];
  readonly best: Outcome;
  /** Whether the search ended because `most` was reached. */
  readonly cutShort: boolean;
}

/**
 * Goes along each axis outwards from the setting in place and stops in a direction at the first one that is worse; then
 * the next axis, and round again as long as something moved. So a grid of dozens takes a dozen measurements.
 */
export async function search(options: SearchOptions): Promise<SearchResult> {
  const climb = new Climb(options);
  const first = await climb.outcomeOf(options.start);
  if (first === undefined) throw new RangeError("a search needs room for one configuration");
  let best = first;
  for (let moved = true; moved && !climb.isFull; ) {
    const before = best;
    for (const axis of options.axes) best = await climb.along(axis, best);
    moved = keyOf(before.configuration) !== keyOf(best.configuration);
  }
  return { outcomes: climb.outcomes, best, cutShort: climb.isFull };
}

class Climb {
  /** Set when a configuration was left out for want of room. */
  isFull = false;
  private readonly known = new Map<string, Outcome>();

  constructor(private readonly options: SearchOptions) {}

  get outcomes(): Outcome[] {
    return [...this.known.values()];
  }

  async outcomeOf(configuration: TuneConfiguration): Promise<Outcome | undefined> {
    const key = keyOf(configuration);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    if (this.known.size >= this.options.most) {
      this.isFull = true;
      return undefined;
    }
    const outcome = await this.options.evaluate(configuration);
    this.known.set(key, outcome);
    return outcome;
  }

  async along({ settings }: Axis, from: Outcome): Promise<Outcome> {
    const at = settings.findIndex(
      (setting) => keyOf({ ...from.configuration, ...setting }) === keyOf(from.configuration),
    );
    // Downwards first: smaller batches, fewer lanes and shorter delays are what to prefer.
    const below = settings.slice(0, Math.max(0, at)).reverse();
    let best = from;
    for (const direction of [below, settings.slice(at + 1)]) best = await this.towards(direction, best);
    return best;
  }

  private async towards(settings: readonly Partial<TuneConfiguration>[], from: Outcome): Promise<Outcome> {
    const { objective } = this.options;
    let best = from;
    let misses = 0;
    for (const setting of settings) {
      const outcome = await this.outcomeOf({ ...from.configuration, ...setting });
      if (outcome === undefined) return best;
      if (isBetter(outcome.best, best.best, objective)) {
        best = outcome;
        misses = 0;
        continue;
      }
      // One setting that is merely as good may hide a better one behind it; a second one will not.
      misses += isBetter(best.best, outcome.best, objective) ? 2 : 1;
      if (misses >= 2) return best;
    }
    return best;
  }
}
