/**
 * Every error that Headrace raises on purpose, on every surface.
 *
 * One row per code: the HTTP status, the WebSocket close code and the gRPC status that it becomes. The native engine
 * reports the same code names, so an error reads the same wherever it was found. `docs/errors.md` is checked against
 * this table by a test.
 *
 * ```ts
 * ERROR_CODES.RESOURCE_EXHAUSTED.http; // 429
 * ERROR_CODES.RESOURCE_EXHAUSTED.close; // 1013
 * ```
 */
export const ERROR_CODES = {
  INVALID_ARGUMENT: {
    http: 400,
    close: 1007,
    grpc: 3,
    meaning: "The request is wrong in itself, or a model refuses its values; sending it again cannot help.",
  },
  UNAUTHENTICATED: {
    http: 401,
    close: 1008,
    grpc: 16,
    meaning: "The server wants to know who asks: the token or certificate is missing, or not one that it knows.",
  },
  PERMISSION_DENIED: {
    http: 403,
    close: 1008,
    grpc: 7,
    meaning: "The server knows who asks, or from which page, and does not allow it.",
  },
  PAYLOAD_TOO_LARGE: {
    http: 413,
    close: 1009,
    grpc: 8,
    meaning: "A body or frame is larger than the configured limit.",
  },
  NOT_FOUND: { http: 404, close: 1008, grpc: 5, meaning: "No such route, model or object." },
  METHOD_NOT_ALLOWED: { http: 405, close: 1008, grpc: 12, meaning: "The route exists, but not for this HTTP method." },
  MODEL_NOT_FOUND: {
    http: 404,
    close: 1008,
    grpc: 5,
    meaning: "No model of that name is served, or its file does not exist.",
  },
  MODEL_INVALID: {
    http: 400,
    close: 1011,
    grpc: 3,
    meaning: "The model file cannot be loaded, or does not fit its description.",
  },
  PIPELINE_INVALID: {
    http: 400,
    close: 1011,
    grpc: 3,
    meaning: "The pipeline has a cycle, a missing connection or types that do not fit.",
  },
  DRIVER_NOT_FOUND: { http: 404, close: 1008, grpc: 5, meaning: "No driver has that name or pid." },
  DRIVER_ALREADY_EXISTS: { http: 409, close: 1008, grpc: 6, meaning: "A driver of that name is already running." },
  SERVICE_NOT_FOUND: { http: 404, close: 1008, grpc: 5, meaning: "The driver offers no service of that name." },
  PORT_IN_USE: { http: 503, close: 1011, grpc: 14, meaning: "Another process listens on the port asked for." },
  RESOURCE_EXHAUSTED: {
    http: 429,
    close: 1013,
    grpc: 8,
    meaning: "A queue, a state table or a connection is full; try again later.",
  },
  DEADLINE_EXCEEDED: {
    http: 504,
    close: 1013,
    grpc: 4,
    meaning: "The timeout passed first, or was certain to; the state is as it was before the step.",
  },
  CANCELLED: {
    http: 499,
    close: 1000,
    grpc: 1,
    meaning: "The caller gave up; the state is as it was before the step.",
  },
  UNIMPLEMENTED: { http: 501, close: 1003, grpc: 12, meaning: "The protocol has it, this server does not." },
  UNAVAILABLE: { http: 503, close: 1001, grpc: 14, meaning: "Stopping, stopped or unreachable." },
  NATIVE_UNAVAILABLE: {
    http: 500,
    close: 1011,
    grpc: 13,
    meaning: "The native engine cannot be loaded; the message says what to install.",
  },
  CELL_FAILED: { http: 500, close: 1011, grpc: 13, meaning: "A cell's own code threw; only that prediction failed." },
  INTERNAL: { http: 500, close: 1011, grpc: 13, meaning: "A bug in Headrace, or a model that failed while it ran." },
} as const;

/** The stable name of an error, the same in TypeScript, C++, logs and metrics. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What an error may be given besides its message. */
export interface HeadraceErrorOptions {
  /** What led to this error, if another error did. */
  cause?: unknown;
  /** Where in the user's input the offending value is, e.g. `inputs.audio[3]`. It is put before the message. */
  path?: string;
  /** When another attempt may succeed, in seconds from now, where that is known. HTTP has it as `Retry-After`. */
  retryAfterSeconds?: number;
}

/**
 * The root of the hierarchy: every error that Headrace raises on purpose is one, and `code` says which.
 *
 * ```ts
 * try {
 *   await proc.predict({ input: 1 }, { timeoutMs: 50 });
 * } catch (error) {
 *   if (!(error instanceof HeadraceError)) throw error;
 *   console.log(error.code, error.httpStatus); // DEADLINE_EXCEEDED 504
 * }
 * ```
 */
export class HeadraceError extends Error {
  /** What went wrong, one of the keys of `ERROR_CODES`. */
  readonly code: ErrorCode;
  /** Where in the input the offending value is, or undefined. */
  readonly path: string | undefined;
  /** Seconds after which another attempt may succeed, or undefined where nobody knows. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: HeadraceErrorOptions = {}) {
    super(
      options.path === undefined ? message : `${options.path}: ${message}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = new.target.name;
    this.code = code;
    this.path = options.path;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** The HTTP status that this error becomes. */
  get httpStatus(): number {
    return ERROR_CODES[this.code].http;
  }
}

/**
 * A value of the user's does not fit: `path` says which.
 *
 * ```ts
 * try {
 *   Integer().parse(1.5, "inputs.count");
 * } catch (error) {
 *   if (error instanceof InvalidArgumentError) console.log(error.path, error.message);
 * }
 * ```
 */
export class InvalidArgumentError extends HeadraceError {
  constructor(message: string, options?: HeadraceErrorOptions) {
    super("INVALID_ARGUMENT", message, options);
  }
}

/**
 * The pipeline cannot be built: a cycle, a missing connection, types that do not fit.
 *
 * ```ts
 * const factory = new PipelineFactory({ name: "empty" });
 * try {
 *   factory.build();
 * } catch (error) {
 *   if (error instanceof PipelineInvalidError) console.log(error.message); // The pipeline "empty" has no outputs; …
 * }
 * ```
 */
export class PipelineInvalidError extends HeadraceError {
  constructor(message: string, options?: HeadraceErrorOptions) {
    super("PIPELINE_INVALID", message, options);
  }
}

/**
 * A process has no driver of that ref or pid: it was never added, or has ended.
 *
 * ```ts
 * try {
 *   await proc.removeDriver("web");
 * } catch (error) {
 *   if (!(error instanceof DriverNotFoundError)) throw error;
 * }
 * ```
 */
export class DriverNotFoundError extends HeadraceError {
  constructor(message: string) {
    super("DRIVER_NOT_FOUND", message);
  }
}

/**
 * A process has a driver of that ref already: remove that one first, or take another ref.
 *
 * ```ts
 * try {
 *   await proc.addDriver("web", HttpDriver, { port: 8000 });
 * } catch (error) {
 *   if (error instanceof DriverAlreadyExistsError) console.log(proc.getDriver("web").status);
 * }
 * ```
 */
export class DriverAlreadyExistsError extends HeadraceError {
  constructor(message: string) {
    super("DRIVER_ALREADY_EXISTS", message);
  }
}

/**
 * A driver offers no service of that name; the message has those that it does.
 *
 * ```ts
 * try {
 *   web.getService("grpc");
 * } catch (error) {
 *   if (error instanceof ServiceNotFoundError) console.log(web.listServices().map(({ name }) => name));
 * }
 * ```
 */
export class ServiceNotFoundError extends HeadraceError {
  constructor(message: string) {
    super("SERVICE_NOT_FOUND", message);
  }
}

/**
 * What arrived as an error from anywhere, as a HeadraceError: one of ours unchanged, anything else as `code` with the cause kept.
 *
 * ```ts
 * toHeadraceError(new Error("no route to host"), "UNAVAILABLE").code; // "UNAVAILABLE"
 * toHeadraceError("lost").message; // "lost"
 * ```
 */
export function toHeadraceError(error: unknown, code: ErrorCode = "INTERNAL"): HeadraceError {
  if (error instanceof HeadraceError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new HeadraceError(code, message, { cause: error });
}

/**
 * An impossible state: always a bug in Headrace, never the user's doing.
 *
 * ```ts
 * const ref = "vad";
 * throw bug(`The cell "${ref}" has not been resolved`);
 * ```
 */
export function bug(what: string): HeadraceError {
  return new HeadraceError("INTERNAL", `${what}. This is a bug in Headrace, please report it.`);
}

/**
 * What is new is refused, because whoever would do it is on the way out.
 *
 * ```ts
 * const isDraining = true;
 * if (isDraining) throw serverStopping();
 * ```
 */
export function serverStopping(): HeadraceError {
  return new HeadraceError("UNAVAILABLE", "the server is stopping");
}

/**
 * Whether a string is one of the codes, for what comes from a wire or another copy of Headrace.
 *
 * ```ts
 * isErrorCode("NOT_FOUND"); // true
 * isErrorCode("ENOENT"); // false
 * ```
 */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
