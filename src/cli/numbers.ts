/** Values of options as numbers. */
import { InvalidArgumentError } from "../errors.js";

/** From `least` to `most`. Throws INVALID_ARGUMENT with the option's name, what it takes and what was typed. */
export function integerOf(option: string, text: string, least = 1, most?: number): number {
  const value = finite(text);
  if (Number.isSafeInteger(value) && value >= least && value <= (most ?? value)) return value;
  const range = most === undefined ? `of at least ${least}` : `from ${least} to ${most}`;
  return refuse(option, text, `an integer ${range}`);
}

/** The same for numbers that need not be whole. */
export function numberOf(option: string, text: string, least: number): number {
  const value = finite(text);
  return value >= least ? value : refuse(option, text, `a number of at least ${least}`);
}

export function positiveOf(option: string, text: string): number {
  const value = finite(text);
  return value > 0 ? value : refuse(option, text, "a number above 0");
}

/** NaN for what is none, the infinities and an empty text among them. */
function finite(text: string): number {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? value : Number.NaN;
}

function refuse(option: string, text: string, wanted: string): never {
  throw new InvalidArgumentError(`expected ${wanted}, got '${text}'`, { path: option });
}
