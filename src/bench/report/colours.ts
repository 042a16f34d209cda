/**
 * The page's colours. Series are told apart by people who see fewer colours too (after Okabe and Ito), and each of them,
 * and all text, has enough contrast with its background; a test computes it.
 */

export interface Theme {
  readonly background: string;
  readonly panel: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly bad: string;
  readonly badPanel: string;
  readonly doubt: string;
  readonly doubtPanel: string;
  /** Text on a series' colour. */
  readonly inside: string;
  readonly series: readonly string[];
}

export const LIGHT: Theme = {
  background: "#ffffff",
  panel: "#f6f7f9",
  text: "#1a1f26",
  muted: "#59636e",
  grid: "#dfe3e8",
  bad: "#a3180f",
  badPanel: "#fdecea",
  doubt: "#7a4d00",
  doubtPanel: "#fff5dc",
  inside: "#ffffff",
  series: ["#0069a6", "#c04a00", "#00795a", "#94457f", "#7d6200", "#5c6670"],
};

export const DARK: Theme = {
  background: "#12161b",
  panel: "#1b2128",
  text: "#e8ebee",
  muted: "#a3adb8",
  grid: "#2d353e",
  bad: "#ff9d94",
  badPanel: "#3a1c1b",
  doubt: "#f3c969",
  doubtPanel: "#352a12",
  inside: "#12161b",
  series: ["#5cb6ec", "#f59356", "#2fc59b", "#df9fcc", "#e6cb55", "#b4bcc5"],
};

/** As custom properties of CSS. */
export function themeProperties({ series, ...colours }: Theme): string {
  const named = Object.entries(colours).map(([name, colour]) => `--${name}:${colour}`);
  return [...named, ...series.map((colour, i) => `--s${i}:${colour}`)].join(";");
}
