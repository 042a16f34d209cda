/** `headrace serve` in a process of its own, one for each configuration, and what is measured of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { HeadraceError, type OnnxCell } from "../../index.js";
import type { TuneConfiguration } from "./configuration.js";
import type { OpenServer, TuneServer } from "./evaluate.js";
import { generate } from "./generator.js";
import { serveArguments } from "./paste.js";
import type { RequestFile } from "./request-file.js";
import type { Measured, TuneLoad } from "./trial.js";

const COMMAND = fileURLToPath(new URL("../../cli/main.js", import.meta.url));

export interface ServerOptions {
  readonly model: string;
  readonly cell: OnnxCell;
  readonly requests: RequestFile;
  /** Where `requests.bytes` have been written. */
  readonly file: string;
  /** Of each measurement; undefined: long enough. */
  readonly seconds: number | undefined;
  readonly warmup: number;
  readonly cores: Cores;
}

/** Who runs where; empty and undefined: wherever the system likes. */
export interface Cores {
  readonly server: readonly number[];
  readonly generator: number | undefined;
}

/** Serves the model anew for each configuration. The promise fails with what the server said when it does not start. */
export function serverOpener(options: ServerOptions): OpenServer {
  return async (configuration) => {
    const child = start(options, configuration);
    const port = await listening(child);
    const url = `http://127.0.0.1:${port}/v2/models/${encodeURIComponent(options.cell.name)}`;
    return {
      measure: (load) => measure(options, load, port, url, child.pid ?? 0),
      close: () => stop(child),
    } satisfies TuneServer;
  };
}

type Child = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };

function start({ model, cell, cores }: ServerOptions, configuration: TuneConfiguration): Child {
  const serve = [COMMAND, "serve", model, "--port", "0", ...serveArguments(cell, configuration)];
  const pinned = ["taskset", "-c", cores.server.join(","), process.execPath, ...serve];
  const [program = "", ...args] = cores.server.length === 0 ? [process.execPath, ...serve] : pinned;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] }) as Child;
  // A search that is broken off must not leave a server behind.
  const end = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  return child;
}

async function listening(child: Child): Promise<number> {
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2000);
  });
  const failed = once(child, "error").then(([error]) => Promise.reject(error as Error));
  const port = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const [, found] = / is listening on http:\/\/\S+:(\d+)/.exec(line) ?? [];
      if (found !== undefined) return Number(found);
    }
    throw new HeadraceError("UNAVAILABLE", `the server did not start: ${said.trim() || "it said nothing"}`);
  })();
  const found = await Promise.race([port, failed]);
  // What it prints later is nobody's, and must not fill the pipe.
  child.stdout.resume();
  failed.catch(() => {});
  return found;
}

async function stop(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

async function measure(
  { requests, file, seconds, warmup, cores }: ServerOptions,
  load: TuneLoad,
  port: number,
  url: string,
  serverPid: number,
): Promise<Measured> {
  const before = await runsOf(url);
  const measured = await generate({
    port,
    serverPid,
    requests,
    file,
    load,
    seconds,
    warmup,
    core: cores.generator,
  });
  const after = await runsOf(url);
  const runs = after.runs - before.runs;
  return runs > 0 ? { ...measured, meanBatch: (after.rows - before.rows) / runs } : measured;
}

/** Rows and runs of the model since it was loaded. */
async function runsOf(url: string): Promise<{ rows: number; runs: number }> {
  const answer = await fetch(`${url}/stats`);
  const { model_stats } = (await answer.json()) as {
    model_stats?: { inference_count: number; execution_count: number }[];
  };
  const [stats] = model_stats ?? [];
  return { rows: stats?.inference_count ?? 0, runs: stats?.execution_count ?? 0 };
}
