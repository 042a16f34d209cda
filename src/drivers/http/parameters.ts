import { InvalidArgumentError } from "../../errors.js";
import { shown } from "../../shown.js";

/** The parameters of an HttpDriver. Sizes are bytes. */
export interface HttpParameters {
  /** The port; 0 takes any free one. Cannot change while running. Default: 8000. */
  port: number;
  /** The address to listen on; "0.0.0.0" for every interface. Cannot change while running. Default: "127.0.0.1". */
  host: string;
  /**
   * The largest body or frame; a larger one is refused with PAYLOAD_TOO_LARGE. Cannot change while running. Default: 64 MiB.
   */
  maxBodyBytes: number;
  /** The largest frame of a WebSocket, where that is less than `maxBodyBytes`. Cannot change while running. Default: 64 MiB. */
  maxFrameBytes: number;
  /**
   * Answers that a WebSocket client has not read yet, beyond what the operating system buffers. A client that lets more
   * pile up is closed with 1013: its memory is the server's. Default: 1 MiB.
   */
  maxBackpressureBytes: number;
  /** Frames of one WebSocket that wait for their answers; a client that sends more is closed with 1013. Default: 1024. */
  maxInFlightPerConnection: number;
  /**
   * State ids that one WebSocket has open: its numbered streams, and those that its requests named and did not end. One more is
   * refused with RESOURCE_EXHAUSTED, and the connection goes on. Each costs some hundred bytes. Default: 65536.
   */
  maxStreamsPerConnection: number;
  /**
   * Seconds without a frame or a pong after which a WebSocket is closed, at least 8; 0 is never. Cannot change while
   * running. Default: 120.
   */
  idleTimeoutSeconds: number;
  /**
   * Seconds that the outcome of a task is kept after it has finished; 0 keeps it only for who is waiting then. A change
   * applies to finished tasks too. Default: 60.
   */
  taskTtlSeconds: number;
  /**
   * Tasks that are there at a time, pending or finished and kept; one more is refused with RESOURCE_EXHAUSTED. A smaller
   * number drops none that are there. Each costs the memory of its outputs as JSON. Default: 1000.
   */
  maxTasks: number;
  /**
   * Whether each HTTP request has a line in the log when it is over: method, path, status, bytes of the answer's body, time,
   * client and request id, never a body. Costs a write for each request. Default: false.
   */
  accessLog: boolean;
  /**
   * Whether it takes over from a driver that serves the same version of the same model on this port: new requests come here, and
   * the other one, which is then to be stopped, finishes what it has. Else that is refused. Default: false.
   */
  replace: boolean;
}

/** What all drivers that share a port have in common. */
export const LISTENER_PARAMETERS = ["host", "maxBodyBytes", "maxFrameBytes", "idleTimeoutSeconds"] as const;

export type ListenerParameters = Readonly<Pick<HttpParameters, (typeof LISTENER_PARAMETERS)[number]>>;

export function listenerParameters(parameters: HttpParameters): ListenerParameters {
  const { host, maxBodyBytes, maxFrameBytes, idleTimeoutSeconds } = parameters;
  return { host, maxBodyBytes, maxFrameBytes, idleTimeoutSeconds };
}

/** Streams that may share a connection, each with some hundred bytes from its first frame on. */
export const MAX_STREAMS = 65_536;

export const HTTP_DEFAULTS: HttpParameters = {
  port: 8000,
  host: "127.0.0.1",
  maxBodyBytes: 64 << 20,
  maxFrameBytes: 64 << 20,
  maxBackpressureBytes: 1 << 20,
  maxInFlightPerConnection: 1024,
  maxStreamsPerConnection: MAX_STREAMS,
  idleTimeoutSeconds: 120,
  taskTtlSeconds: 60,
  maxTasks: 1000,
  accessLog: false,
  replace: false,
};

const FIXED = ["port", "replace", ...LISTENER_PARAMETERS] as const;
/** uWebSockets.js counts idle time in a byte of four-second ticks, and ends the process for less than two of them. */
const MIN_IDLE_SECONDS = 8;
const MAX_IDLE_SECONDS = 960;
/** A week. */
const MAX_TASK_TTL_SECONDS = 604_800;

function integer(path: string, value: number, minimum: number, maximum: number): void {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
  throw new InvalidArgumentError(`expected an integer from ${minimum} to ${maximum}, got ${shown(value)}`, { path });
}

/** All parameters, the defaults filled in. Throws INVALID_ARGUMENT with the path of what does not fit. */
export function httpParameters(options: Partial<HttpParameters>): HttpParameters {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(HTTP_DEFAULTS, name)) continue;
    throw new InvalidArgumentError(`there is no such parameter; there are ${Object.keys(HTTP_DEFAULTS).join(", ")}`, {
      path: name,
    });
  }
  const parameters = { ...HTTP_DEFAULTS, ...options };
  integer("port", parameters.port, 0, 65_535);
  integer("maxBodyBytes", parameters.maxBodyBytes, 1, 2 ** 31);
  integer("maxFrameBytes", parameters.maxFrameBytes, 1, 2 ** 31);
  integer("maxBackpressureBytes", parameters.maxBackpressureBytes, 1, 2 ** 31);
  integer("maxInFlightPerConnection", parameters.maxInFlightPerConnection, 1, 1 << 20);
  integer("maxStreamsPerConnection", parameters.maxStreamsPerConnection, 1, MAX_STREAMS);
  if (parameters.idleTimeoutSeconds !== 0)
    integer("idleTimeoutSeconds", parameters.idleTimeoutSeconds, MIN_IDLE_SECONDS, MAX_IDLE_SECONDS);
  const { taskTtlSeconds, accessLog } = parameters;
  if (!(typeof taskTtlSeconds === "number" && taskTtlSeconds >= 0 && taskTtlSeconds <= MAX_TASK_TTL_SECONDS)) {
    const message = `expected seconds from 0 to ${MAX_TASK_TTL_SECONDS}, got ${shown(taskTtlSeconds)}`;
    throw new InvalidArgumentError(message, { path: "taskTtlSeconds" });
  }
  integer("maxTasks", parameters.maxTasks, 1, 1 << 20);
  for (const [path, value] of Object.entries({ accessLog, replace: parameters.replace })) {
    if (typeof value === "boolean") continue;
    throw new InvalidArgumentError(`expected true or false, got ${shown(value)}`, { path });
  }
  if (typeof parameters.host !== "string" || parameters.host === "") {
    throw new InvalidArgumentError("expected an address to listen on", { path: "host" });
  }
  return parameters;
}

/** The new parameters, where only what may change while running has changed. */
export function changedParameters(current: HttpParameters, wanted: HttpParameters): HttpParameters {
  const parameters = httpParameters(wanted);
  for (const name of FIXED) {
    if (parameters[name] === current[name]) continue;
    throw new InvalidArgumentError("cannot change while the driver runs; remove the driver and add another", {
      path: name,
    });
  }
  return parameters;
}
