/**
 * What becomes of the timeout and the priority that requests over the wire ask for. Predictions made in this process have
 * what their options say.
 */
export interface RequestPolicy {
  /** The timeout of requests, in microseconds; 0: what each asks for. Default: 0. */
  readonly timeoutMicros?: number;
  /** Whether a request may ask for less than `timeoutMicros`; else it has exactly that. Default: false. */
  readonly allowTimeoutOverride?: boolean;
  /** The lowest priority, up to 255; what asks for none, or a lower one, has `defaultPriority`. Default: 0, priorities are as asked for. */
  readonly priorityLevels?: number;
  /** From 1 to `priorityLevels`. Default: 0, which ranks as 128. */
  readonly defaultPriority?: number;
}

/** The timeout that a request gets, in microseconds; 0: none. */
export function timeoutOf({ timeoutMicros = 0, allowTimeoutOverride = false }: RequestPolicy, asked: number): number {
  if (timeoutMicros === 0) return asked;
  return allowTimeoutOverride && asked > 0 ? Math.min(asked, timeoutMicros) : timeoutMicros;
}

/** The priority that a request gets, from 0 to 255. */
export function priorityOf({ priorityLevels = 0, defaultPriority = 0 }: RequestPolicy, asked: number): number {
  if (priorityLevels === 0) return Math.min(asked, 255);
  return asked >= 1 && asked <= priorityLevels ? asked : defaultPriority;
}
