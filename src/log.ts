/** Logging: one pino logger, children by part. Debug runtimes are verbose, others quiet; HEADRACE_LOG overrides both. */
import { type Logger, pino } from "pino";

export type { Logger };

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/**
 * @param part What logs: `runtime`, `driver:webapi` …
 * @param level Where HEADRACE_LOG says nothing. Default: `warn`.
 */
export function makeLogger(part: string, level = "warn"): Logger {
  const asked = process.env.HEADRACE_LOG;
  // Logs go to standard error: standard output belongs to what a command answers.
  return pino(
    { name: `headrace:${part}`, level: asked !== undefined && LEVELS.includes(asked) ? asked : level },
    pino.destination(2),
  );
}
