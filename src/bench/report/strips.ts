/** Plots with a strip for each case: how large batches were, and where the time of a step goes. */
import { mergeBatchSizes } from "../histogram.js";
import type { BatchSize, BenchCase, BenchResult, PhaseTimes } from "../result.js";
import { drawing, WIDTH } from "./axes.js";
import { medianOf } from "./columns.js";
import { digits, duration, loadText, percent } from "./format.js";
import { type Content, type Markup, markup, px } from "./markup.js";

const LEFT = 190;
const RIGHT = WIDTH - 110;
const STRIP = 26;
const GAP = 8;

/** One strip: its name to the left, its figure to the right. */
function strip(index: number, name: string, figure: string, content: Content): Markup {
  const y = index * (STRIP + GAP);
  return markup`<g transform="translate(0 ${y})"><text class="tick" x="${LEFT - 10}" y="18" text-anchor="end">${name}</text>${content}<text class="figure" x="${RIGHT + 10}" y="18">${figure}</text></g>`;
}

function nameOf(one: BenchCase): string {
  return `${one.protocol}, ${loadText(one)}`;
}

/** Undefined where no case has batch sizes. */
export function batchSizes({ cases }: BenchResult): Markup | undefined {
  const sized = cases
    .map((one) => ({ one, sizes: mergeBatchSizes(one.repetitions.map(({ batchSizes = [] }) => batchSizes)) }))
    .filter(({ sizes }) => sizes.some(([, runs]) => runs > 0));
  if (sized.length === 0) return undefined;
  const largest = Math.max(...sized.flatMap(({ sizes }) => sizes.map(([rows]) => rows)));
  const strips = sized.map(({ one, sizes }, i) =>
    strip(i, nameOf(one), `mean ${digits(meanRows(sizes))}`, sizeBars(sizes, largest)),
  );
  const bottom = sized.length * (STRIP + GAP);
  const ticks = rowTicks(largest).map(
    (rows) =>
      markup`<text class="tick" x="${px(columnAt(rows, largest) + columnWidth(largest) / 2)}" y="${bottom + 14}" text-anchor="middle">${rows}</text>`,
  );
  const axis = markup`<text class="axis" x="${(LEFT + RIGHT) / 2}" y="${bottom + 36}" text-anchor="middle">steps in a run of the model</text>`;
  const described = sized.map(({ one, sizes }) => `${nameOf(one)}: mean ${digits(meanRows(sizes))}`).join("; ");
  const drawn = drawing("Batch sizes", described, bottom + 44, [strips, ticks, axis]);
  return markup`<figure>${drawn}<p class="note">Height: the share of a case's runs, its most frequent size highest.</p></figure>`;
}

function columnWidth(largest: number): number {
  return (RIGHT - LEFT) / largest;
}

function columnAt(rows: number, largest: number): number {
  return LEFT + (rows - 1) * columnWidth(largest);
}

function sizeBars(sizes: readonly BatchSize[], largest: number): Markup {
  const total = sizes.reduce((sum, [, runs]) => sum + runs, 0);
  const most = Math.max(...sizes.map(([, runs]) => runs));
  // A case that always ran one step must not become one bar as wide as the plot.
  const width = Math.min(columnWidth(largest), 40);
  const inset = (columnWidth(largest) - width) / 2;
  const bars = sizes.map(([rows, runs]) => {
    const height = (runs / most) * STRIP;
    const x = px(columnAt(rows, largest) + inset + width * 0.06);
    return markup`<rect x="${x}" y="${px(STRIP - height)}" width="${px(width * 0.88)}" height="${px(height)}"><title>${rows} rows: ${percent(runs / total, 1)} of runs</title></rect>`;
  });
  return markup`<line class="base" x1="${LEFT}" x2="${RIGHT}" y1="${STRIP}" y2="${STRIP}"/><g class="c0 bars">${bars}</g>`;
}

function rowTicks(largest: number): number[] {
  if (largest <= 10) return Array.from({ length: largest }, (_, i) => i + 1);
  return [1, ...[0.25, 0.5, 0.75, 1].map((share) => Math.round(largest * share))];
}

function meanRows(sizes: readonly BatchSize[]): number {
  const runs = sizes.reduce((sum, [, count]) => sum + count, 0);
  return sizes.reduce((sum, [rows, count]) => sum + rows * count, 0) / runs;
}

/** In the order in which a step goes through them; what is left over of the service time is the rest. */
const PHASES = ["queue", "gather", "run", "scatter", "rest"] as const;

const PHASE_NAMES: Readonly<Record<(typeof PHASES)[number], string>> = {
  queue: "waiting for the model",
  gather: "copying in",
  run: "the model",
  scatter: "copying out",
  rest: "everything else: protocol, network, client",
};

/** Undefined where no case has phases. */
export function phaseBars({ cases }: BenchResult): Markup | undefined {
  const timed = cases.flatMap((one) => {
    const phases = phasesOf(one);
    return phases === undefined || total(phases) === 0 ? [] : [{ one, phases }];
  });
  if (timed.length === 0) return undefined;
  const strips = timed.map(({ one, phases }, i) =>
    strip(i, nameOf(one), duration(total(phases), "µs"), stacked(phases)),
  );
  const described = timed
    .map(({ one, phases }) => `${nameOf(one)}: the model ${percent(phases.run / total(phases))}`)
    .join("; ");
  const drawn = drawing("Where the time of a step goes", described, timed.length * (STRIP + GAP), strips);
  const entries = PHASES.map(
    (phase, i) => markup`<li class="c${i}"><span class="block"></span>${PHASE_NAMES[phase]}</li>`,
  );
  return markup`<figure>${drawn}<ul class="legend">${entries}</ul><p class="note">Shares of the mean service time of a step, which stands to the right.</p></figure>`;
}

type Phases = PhaseTimes & { readonly rest: number };

function total(phases: Phases): number {
  return PHASES.reduce((sum, phase) => sum + phases[phase], 0);
}

function phasesOf(one: BenchCase): Phases | undefined {
  const of = (phase: keyof PhaseTimes): number | undefined => medianOf(one, ({ phases }) => phases?.[phase]);
  const [queue, gather, run, scatter] = [of("queue"), of("gather"), of("run"), of("scatter")];
  if (queue === undefined || gather === undefined || run === undefined || scatter === undefined) return undefined;
  const inside = queue + gather + run + scatter;
  const whole = medianOf(one, ({ service }) => service.mean) ?? inside;
  return { queue, gather, run, scatter, rest: Math.max(0, whole - inside) };
}

function stacked(phases: Phases): Content {
  const sum = total(phases);
  let x = LEFT;
  return PHASES.map((phase, i) => {
    const width = (phases[phase] / sum) * (RIGHT - LEFT);
    const hint = `${PHASE_NAMES[phase]}: ${duration(phases[phase], "µs")}, ${percent(phases[phase] / sum, 1)}`;
    const inside =
      width > 44
        ? markup`<text class="inside" x="${px(x + width / 2)}" y="17.5" text-anchor="middle">${percent(phases[phase] / sum)}</text>`
        : undefined;
    const bar = markup`<g class="c${i} bars"><rect x="${px(x)}" y="0" width="${px(width)}" height="${STRIP}"><title>${hint}</title></rect>${inside}</g>`;
    x += width;
    return bar;
  });
}
