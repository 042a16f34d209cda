import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HeadraceError, InvalidArgumentError } from "../../errors.js";

/** Whether the last part of a path has a wildcard. */
export function hasWildcard(path: string): boolean {
  return /[*?]/.test(basename(path));
}

/** `frame2` before `frame10`, the same everywhere. */
const byNumber = new Intl.Collator("en", { numeric: true });

/**
 * The files that a path with wildcards names, in the order of their names, numbers in them by value. `*` is any run of
 * characters and `?` any one, in the last part of the path only. Throws NOT_FOUND where there is none.
 */
export async function matchingFiles(path: string): Promise<string[]> {
  const folder = dirname(path);
  if (/[*?]/.test(folder)) {
    throw new InvalidArgumentError("has a wildcard in a folder's name; they may be in the file's name only", { path });
  }
  const pattern = basename(path)
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const found = names.filter((name) => new RegExp(`^${pattern}$`, "su").test(name)).sort(byNumber.compare);
  if (found.length === 0) throw new HeadraceError("NOT_FOUND", "matches no file", { path });
  return found.map((name) => join(folder, name));
}
