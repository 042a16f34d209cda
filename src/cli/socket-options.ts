/** Options of the threads that read and write the sockets of HTTP and WebSocket. */
import type { Command } from "cac";
import { integerOf } from "./numbers.js";

/** As cac hands them over. */
export interface SocketOptions {
  threads: string;
  realtime?: boolean;
}

const ONE = "1";

export function addSocketOptions(command: Command): Command {
  return command
    .option("--threads <n>", "Threads that read and write the sockets of HTTP and WebSocket", { default: ONE })
    .option("--realtime", "They go before all else on their cores, where the system allows it");
}

/** As parameters of an HttpDriver. @throws INVALID_ARGUMENT with the option's name. */
export function socketParameters({ threads, realtime = false }: SocketOptions) {
  return { threads: integerOf("--threads", threads), realtime };
}

/** The same for another `headrace serve`, without what is the default. */
export function socketArguments(options: SocketOptions): string[] {
  const { threads, realtime } = socketParameters(options);
  return [...(threads === 1 ? [] : ["--threads", String(threads)]), ...(realtime ? ["--realtime"] : [])];
}
