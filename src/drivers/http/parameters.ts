import { isDeepStrictEqual } from "node:util";
import { InvalidArgumentError } from "../../errors.js";
import { boolean } from "../../serving/access-parameters.js";
import { shown } from "../../shown.js";
import {
  integer,
  LISTENER_DEFAULTS,
  LISTENER_PARAMETERS,
  type ListenerParameters,
  listenerParameters,
} from "./listener-parameters.js";

/** The parameters of an HttpDriver. Sizes are bytes. */
export interface HttpParameters extends ListenerParameters {
  /** The port; 0 takes any free one. Cannot change while running. Default: 8000. */
  port: number;
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

/** Streams that may share a connection, each with some hundred bytes from its first frame on. */
export const MAX_STREAMS = 65_536;

export const HTTP_DEFAULTS: HttpParameters = {
  port: 8000,
  ...LISTENER_DEFAULTS,
  maxBackpressureBytes: 1 << 20,
  maxInFlightPerConnection: 1024,
  maxStreamsPerConnection: MAX_STREAMS,
  taskTtlSeconds: 60,
  maxTasks: 1000,
  accessLog: false,
  replace: false,
};

const FIXED = ["port", "replace", ...LISTENER_PARAMETERS] as const;
/** A week. */
const MAX_TASK_TTL_SECONDS = 604_800;

/** All parameters, the defaults filled in. Throws INVALID_ARGUMENT with the path of what does not fit. */
export function httpParameters(options: Partial<HttpParameters>): HttpParameters {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(HTTP_DEFAULTS, name)) continue;
    throw new InvalidArgumentError(`there is no such parameter; there are ${Object.keys(HTTP_DEFAULTS).join(", ")}`, {
      path: name,
    });
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all: HttpParameters = { ...HTTP_DEFAULTS, ...given };
  const parameters: HttpParameters = { ...all, ...listenerParameters(all) };
  integer("port", parameters.port, 0, 65_535);
  integer("maxBackpressureBytes", parameters.maxBackpressureBytes, 1, 2 ** 31);
  integer("maxInFlightPerConnection", parameters.maxInFlightPerConnection, 1, 1 << 20);
  integer("maxStreamsPerConnection", parameters.maxStreamsPerConnection, 1, MAX_STREAMS);
  const { taskTtlSeconds } = parameters;
  if (!(typeof taskTtlSeconds === "number" && taskTtlSeconds >= 0 && taskTtlSeconds <= MAX_TASK_TTL_SECONDS)) {
    const message = `expected seconds from 0 to ${MAX_TASK_TTL_SECONDS}, got ${shown(taskTtlSeconds)}`;
    throw new InvalidArgumentError(message, { path: "taskTtlSeconds" });
  }
  integer("maxTasks", parameters.maxTasks, 1, 1 << 20);
  boolean("accessLog", parameters.accessLog);
  boolean("replace", parameters.replace);
  return parameters;
}

/** The new parameters, where only what may change while running has changed. */
export function changedParameters(current: HttpParameters, wanted: HttpParameters): HttpParameters {
  const parameters = httpParameters(wanted);
  for (const name of FIXED) {
    if (isDeepStrictEqual(parameters[name], current[name])) continue;
    throw new InvalidArgumentError("cannot change while the driver runs; remove the driver and add another", {
      path: name,
    });
  }
  return parameters;
}
