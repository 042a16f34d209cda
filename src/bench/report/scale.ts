/** From values to pixels, with the places of the marks along the axis. */
import { short } from "./format.js";

export interface Tick {
  readonly value: number;
  readonly label: string;
}

export interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly Tick[];
  /** The value at each end. */
  readonly domain: readonly [number, number];
}

/** Pixels at the low and at the high end. */
export type Range = readonly [number, number];

function mapped(domain: readonly [number, number], [low, high]: Range, of: (value: number) => number): Scale["at"] {
  const [from, to] = [of(domain[0]), of(domain[1])];
  return (value) => low + ((of(value) - from) / (to - from || 1)) * (high - low);
}

/** From 0 to the first round number past the largest value. */
export function linearScale(largest: number, range: Range, label: (value: number) => string = short): Scale {
  const step = roundStep(Math.max(largest, 1e-9) / 5);
  const count = Math.max(1, Math.ceil(largest / step - 1e-9));
  const domain = [0, step * count] as const;
  const ticks = Array.from({ length: count + 1 }, (_, i) => ({ value: step * i, label: label(step * i) }));
  return { at: mapped(domain, range, (value) => value), ticks, domain };
}

/** 1, 2 or 5 times a power of ten, the first that is not less. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

/** Logarithmic, around values above 0, its ends at marks. */
export function logScale(values: readonly number[], range: Range, label: (value: number) => string = short): Scale {
  const positive = values.filter((value) => value > 0);
  const [least, most] = positive.length === 0 ? [1, 10] : [Math.min(...positive), Math.max(...positive)];
  // Over few decades the steps between them need marks too.
  const factors = Math.log10(most / least) <= 3 ? [1, 2, 5] : [1];
  const marks: number[] = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power += 1) {
    for (const factor of factors) marks.push(Number((factor * 10 ** power).toPrecision(3)));
  }
  const low = marks.findLast((mark) => mark <= least) ?? least;
  const high = marks.find((mark) => mark >= most && mark > low) ?? most;
  const ticks = marks.filter((mark) => mark >= low && mark <= high);
  return {
    at: mapped([low, high], range, (value) => Math.log10(Math.max(value, low))),
    ticks: ticks.map((value) => ({ value, label: label(value) })),
    domain: [low, high],
  };
}

/** Of `1 in so many`: logarithmic, its marks named as percentiles. */
export function percentileScale(largest: number, range: Range): Scale {
  const domain = [1, Math.max(largest, 10)] as const;
  const marks = [1, 2, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8].filter((mark) => mark <= domain[1]);
  const ticks = marks.map((value) => ({ value, label: `${Number((100 * (1 - 1 / value)).toFixed(6))}%` }));
  return { at: mapped(domain, range, Math.log10), ticks, domain };
}
