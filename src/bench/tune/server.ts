/** `headrace serve` in a process of its own, one for each configuration, and what is measured of it. */
import type { OnnxCell } from "../../index.js";
import type { SharedCores } from "../cores.js";
import { serverSide } from "../repetition.js";
import { type Served, serveOwn } from "../target.js";
import type { OpenServer, TuneServer } from "./evaluate.js";
import { generate } from "./generator.js";
import { serveArguments } from "./paste.js";
import type { RequestFile } from "./request-file.js";
import type { Measured, TuneLoad } from "./trial.js";

export interface ServerOptions {
  readonly model: string;
  readonly cell: OnnxCell;
  readonly requests: RequestFile;
  /** Where `requests.bytes` have been written. */
  readonly file: string;
  /** Of each measurement; undefined: long enough. */
  readonly seconds: number | undefined;
  readonly warmup: number;
  readonly cores: SharedCores;
}

/** Serves the model anew for each configuration. The promise fails with what the server said when it does not start. */
export function serverOpener(options: ServerOptions): OpenServer {
  const { model, cell, cores } = options;
  const serverCores = cores.server.length === 0 ? undefined : cores.server.join(",");
  return async (configuration) => {
    const serve = { target: model, headers: {}, serveArguments: serveArguments(cell, configuration) };
    const served = await serveOwn(serve, "http-binary", serverCores);
    return { measure: (load) => measure(options, load, served), close: () => served.stop() } satisfies TuneServer;
  };
}

async function measure(options: ServerOptions, load: TuneLoad, served: Served): Promise<Measured> {
  const { requests, file, seconds, warmup, cores, cell } = options;
  const { management, pid: serverPid = 0 } = served;
  const before = await management.statistics(cell.name);
  const { port } = served.endpoint("http-binary");
  const measured = await generate({ port, serverPid, requests, file, load, seconds, warmup, core: cores.generator });
  const { batchSizes = [] } = serverSide(before, await management.statistics(cell.name));
  const runs = batchSizes.reduce((sum, [, count]) => sum + count, 0);
  const rows = batchSizes.reduce((sum, [size, count]) => sum + size * count, 0);
  return runs > 0 ? { ...measured, meanBatch: rows / runs } : measured;
}
