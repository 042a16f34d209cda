import { type ErrorCode, HeadraceError } from "./errors.js";

/** What the operating system's words for a failed file operation become; anything else is UNAVAILABLE. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "NOT_FOUND",
  ENOTDIR: "NOT_FOUND",
  EISDIR: "INVALID_ARGUMENT",
  ENOSPC: "RESOURCE_EXHAUSTED",
  EDQUOT: "RESOURCE_EXHAUSTED",
  EMFILE: "RESOURCE_EXHAUSTED",
  ENFILE: "RESOURCE_EXHAUSTED",
};

/** A failure of the file at `path` as a HeadraceError that names it; one of ours unchanged. */
export function fileError(path: string, error: unknown): HeadraceError {
  if (error instanceof HeadraceError) return error;
  const code = (error as Partial<NodeJS.ErrnoException> | undefined)?.code;
  const message = error instanceof Error ? error.message : String(error);
  return new HeadraceError(CODES[code ?? ""] ?? "UNAVAILABLE", message, { path, cause: error });
}
