/** How deep JSON may be nested. `JSON.parse` takes any depth; what walks its result afterwards does not. */
import { fail } from "./check.js";

/** Deep enough for any tensor; low enough for any stack. */
export const MAX_DEPTH = 64;

const BACKSLASH = 0x5c;
/** What can open or close something. Between two of these there is nothing to look at, however much of it there is. */
const STRUCTURE = /["[\]{}]/g;

/** Throws INVALID_ARGUMENT for text that is nested deeper than MAX_DEPTH, whether it is JSON or not. */
export function checkDepth(text: string, path: string): void {
  // Text without that many brackets, which is nearly all, costs no more than a search for them.
  if (hasFew(text) || deepest(text) <= MAX_DEPTH) return;
  fail(path, `nested deeper than ${MAX_DEPTH}`);
}

function hasFew(text: string): boolean {
  let left = MAX_DEPTH;
  for (const bracket of "[{") {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      left -= 1;
      if (left < 0) return false;
    }
  }
  return true;
}

/** The depth, but no more than one above the limit. */
function deepest(text: string): number {
  let depth = 0;
  let most = 0;
  STRUCTURE.lastIndex = 0;
  while (most <= MAX_DEPTH && STRUCTURE.test(text)) {
    const at = STRUCTURE.lastIndex - 1;
    const char = text[at];
    if (char === '"') STRUCTURE.lastIndex = endOfString(text, at) + 1;
    else if (char === "[" || char === "{") most = Math.max(most, ++depth);
    else depth -= 1;
  }
  return most;
}

/** Where the quote is that closes a string; the end of the text where there is none. */
function endOfString(text: string, start: number): number {
  for (let at = start; ; ) {
    at = text.indexOf('"', at + 1);
    if (at === -1) return text.length;
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
}
