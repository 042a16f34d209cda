/** The frame of a plot: axes, grid, labels, and the words for who cannot see it. */
import { type Content, type Markup, markup, px } from "./markup.js";
import type { Scale } from "./scale.js";

export const WIDTH = 760;

export interface Axis {
  readonly scale: Scale;
  readonly label: string;
}

export interface PlotOptions {
  /** What the plot shows, for screen readers. */
  readonly title: string;
  readonly description: string;
  readonly height: number;
  readonly x: Axis;
  readonly y: Axis;
}

/** The room around the marks. */
export const MARGIN = { top: 14, right: 22, bottom: 46, left: 72 } as const;

export const X_RANGE = [MARGIN.left, WIDTH - MARGIN.right] as const;

/** From the bottom up, as values grow. */
export function yRange(height: number): readonly [number, number] {
  return [height - MARGIN.bottom, MARGIN.top];
}

/** An SVG that is as wide as the page lets it. */
export function drawing(title: string, description: string, height: number, content: Content): Markup {
  return markup`<svg viewBox="0 0 ${WIDTH} ${px(height)}" role="img" aria-label="${title}. ${description}" preserveAspectRatio="xMidYMid meet">${content}</svg>`;
}

/** Axes with their grid, and the content over them. */
export function plot({ title, description, height, x, y }: PlotOptions, content: Content): Markup {
  const [left, right] = X_RANGE;
  const [bottom, top] = yRange(height);
  const columns = x.scale.ticks.map((tick) => {
    const at = px(x.scale.at(tick.value));
    return markup`<line class="grid" x1="${at}" x2="${at}" y1="${px(top)}" y2="${px(bottom)}"/><text class="tick" x="${at}" y="${px(bottom + 17)}" text-anchor="middle">${tick.label}</text>`;
  });
  const rows = y.scale.ticks.map((tick) => {
    const at = y.scale.at(tick.value);
    return markup`<line class="grid" x1="${left}" x2="${right}" y1="${px(at)}" y2="${px(at)}"/><text class="tick" x="${left - 8}" y="${px(at + 4)}" text-anchor="end">${tick.label}</text>`;
  });
  const middle = (top + bottom) / 2;
  const names = markup`<text class="axis" x="${px((left + right) / 2)}" y="${px(height - 8)}" text-anchor="middle">${x.label}</text><text class="axis" x="16" y="${px(middle)}" text-anchor="middle" transform="rotate(-90 16 ${px(middle)})">${y.label}</text>`;
  return drawing(title, description, height, [columns, rows, names, content]);
}
