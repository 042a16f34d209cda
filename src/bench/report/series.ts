/** Lines of a plot. Each has its colour and its own mark, so that it can be told apart without colours too. */
import { type Markup, markup, px } from "./markup.js";
import type { Scale } from "./scale.js";

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Shown when a pointer rests on it. A point that has one gets a mark. */
  readonly hint?: string;
  /** Written beside it. */
  readonly label?: string;
}

export interface Series {
  /** Which of the page's colours and marks, from 0. */
  readonly style: number;
  readonly points: readonly Point[];
  readonly dashed?: boolean;
}

/** How many colours there are; further series begin again, and their marks and dashes differ. */
export const STYLES = 6;

export function line({ style, points, dashed = false }: Series, x: Scale, y: Scale): Markup {
  const places = points.map((point) => ({ point, at: [x.at(point.x), y.at(point.y)] as const }));
  const path = places.map(({ at }, i) => `${i === 0 ? "M" : "L"}${px(at[0])} ${px(at[1])}`).join("");
  const shown = places.map(({ point, at }) => [mark(style, at, point.hint), beside(point, at)]);
  return markup`<g class="c${style % STYLES}"><path class="line${dashed ? " dashed" : ""}" d="${path}"/>${shown}</g>`;
}

function beside({ label }: Point, [x, y]: readonly [number, number]): Markup | undefined {
  return label === undefined
    ? undefined
    : markup`<text class="point" x="${px(x - 8)}" y="${px(y - 8)}" text-anchor="middle">${label}</text>`;
}

/** Outlines around the origin, about 9 pixels wide. */
const MARKS = [
  "M-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0z",
  "M-3.8 -3.8h7.6v7.6h-7.6z",
  "M0 -5l4.8 8.4h-9.6z",
  "M0 -5.4l5.4 5.4l-5.4 5.4l-5.4 -5.4z",
  "M0 5l4.8 -8.4h-9.6z",
  "M-1.5 -5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z",
];

function mark(style: number, [x, y]: readonly [number, number], hint: string | undefined): Markup | undefined {
  if (hint === undefined) return undefined;
  const title = hint === "" ? undefined : markup`<title>${hint}</title>`;
  return markup`<path class="mark" d="${MARKS[style % STYLES]}" transform="translate(${px(x)} ${px(y)})">${title}</path>`;
}

/** One entry of a legend: a piece of the line with its mark, and its name. */
export function legendEntry(style: number, name: string): Markup {
  return markup`<li class="c${style % STYLES}"><svg class="swatch" viewBox="0 0 30 16" aria-hidden="true"><path class="line" d="M1 8H29"/>${mark(style, [15, 8], "")}</svg>${name}</li>`;
}
