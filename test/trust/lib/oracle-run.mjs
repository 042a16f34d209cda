// One seed of the oracle: a server, clients that do what the seed says, and the model that all of it is compared with, which
// is a Map of states and one run of ONNX Runtime for each step.

import { HeadraceClient } from "../../../dist/client/index.js";
import { GrpcDriver } from "../../../dist/drivers/grpc/index.js";
import { HttpDriver } from "../../../dist/drivers/http/index.js";
import { init } from "../../../dist/index.js";
import { gruInference, initialState, rowOf, stateFloats, WIDTH } from "./gru.mjs";
import { Oracle, TOLERANCE, UNNAMED } from "./oracle-model.mjs";
import { grpcClient, openWays, ownStream } from "./ways.mjs";

const CLIENTS = 6;
const IDS_OF_A_CLIENT = 3;
const ROUNDS = 3;
const ACTIONS_A_ROUND = 8;
const MOST_ROWS = 5;
/** Ways whose steps without a state id are those of their connection's. */
const MESSAGES = new Set(["text", "binary"]);

/** By the number of the seed: how the model is run. Where a run has one row, results must be the same bits. */
const SETTINGS = [
  { cell: { execution: "inline", batching: { maxSize: 1 } }, threads: 1, limit: 0 },
  { cell: { execution: "inline" }, threads: 2, limit: TOLERANCE },
  { cell: { execution: "lanes", lanes: 2, batching: { maxSize: 1 } }, threads: 2, limit: 0 },
  { cell: { execution: "lanes", lanes: 2 }, threads: 1, limit: TOLERANCE },
  { cell: { execution: "lanes", lanes: 1, batching: { maxDelayMicros: 200 } }, threads: 1, limit: TOLERANCE },
];

/** The settings of a seed. @param {number} seed */
export const settingsOf = (seed) => SETTINGS[seed % SETTINGS.length];

/** What `openServer` gave. @typedef {Awaited<ReturnType<typeof openServer>>} Server */

/** @param {typeof SETTINGS[number]} settings */
async function openServer({ cell, threads }) {
  const runtime = await init("local");
  const proc = await runtime.startInference(gruInference({ ...cell, stateTtlSeconds: 3600 }));
  const http = await proc.addDriver("http", HttpDriver, { port: 0, threads });
  const rpc = await proc.addDriver("grpc", GrpcDriver, { port: 0 });
  const client = new HeadraceClient({ process: http, model: "gru" });
  const streams = client.streams({ raw: "input" });
  const grpc = grpcClient(rpc.getService("grpc").taggedAddresses.lan.port);
  return {
    proc,
    httpPort: http.getService("http").taggedAddresses.lan.port,
    grpc,
    streams,
    close: async () => {
      await streams.close();
      grpc.close();
      await runtime.stop({ timeoutMs: 1000 });
    },
  };
}

/** A client, which alone steps its state ids, so that their order is known however the clients interleave. */
class Client {
  #exported;

  constructor(server, oracle, random, number, ways) {
    Object.assign(this, { server, oracle, random, ways });
    this.ids = Array.from({ length: IDS_OF_A_CLIENT }, (_, i) => `client ${number}/${i}`);
    this.connection = `${UNNAMED}${number}`;
  }

  async act() {
    const { random } = this;
    const stateId = random.pick(this.ids);
    const dice = random.next();
    if (dice < 0.76) return this.step(stateId);
    if (dice < 0.82) return this.exportState(stateId);
    if (dice < 0.88) return this.importState(stateId);
    if (dice < 0.92) return this.refuseImport(stateId);
    if (dice < 0.95) return this.dropState(stateId);
    return this.ownStream();
  }

  async step(id) {
    const { random, ways, oracle } = this;
    const name = random.pick(Object.keys(ways));
    const stateId = name !== "raw" && name !== "numbered" && random.next() < 0.05 ? undefined : id;
    const rows = Array.from({ length: 1 + random.below(MOST_ROWS) }, () => rowOf(random));
    const hasFlags = stateId !== undefined && name !== "raw";
    const burst = { stateId, rows, start: hasFlags && random.next() < 0.15, end: hasFlags && random.next() < 0.15 };
    if (random.next() < 0.15) rows[random.below(rows.length)] = rowOf(random, WIDTH - 1);
    if (name === "predict" && random.next() < 0.3) burst.aborted = random.below(rows.length);
    if (burst.aborted !== undefined) rows[burst.aborted] = rowOf(random);
    const outcomes = await ways[name](burst);
    if (stateId === undefined && MESSAGES.has(name)) burst.stateId = this.connection;
    await oracle.burst(burst, outcomes, name === "numbered", `${name}, ${stateId}`);
  }

  exportState(stateId) {
    const { server, oracle } = this;
    const state = oracle.states.get(stateId);
    const exported = orCode(() => server.proc.exportState(stateId));
    if (state === undefined) return expectCode(exported, "NOT_FOUND", `export of ${stateId}`);
    expectCode(exported, undefined, `export of ${stateId}`);
    oracle.compare(stateFloats(exported), state, `export of ${stateId}`);
    this.#exported = { bytes: exported, state };
  }

  /** What was exported last, perhaps of another state id, takes the place of what is there. */
  importState(stateId) {
    if (this.#exported === undefined) return;
    this.server.proc.importState(stateId, this.#exported.bytes);
    this.oracle.states.set(stateId, this.#exported.state);
    this.oracle.counts.moved += 1;
  }

  refuseImport(stateId) {
    if (this.#exported === undefined) return;
    const { bytes } = this.#exported;
    const damaged = bytes.subarray(0, this.random.below(bytes.length));
    const code = orCode(() => this.server.proc.importState(stateId, damaged));
    expectCode(code, "INVALID_ARGUMENT", `import of ${damaged.length} of ${bytes.length} bytes`);
  }

  dropState(stateId) {
    this.server.proc.dropState(stateId);
    this.oracle.states.delete(stateId);
  }

  async ownStream() {
    const rows = Array.from({ length: 1 + this.random.below(MOST_ROWS) }, () => rowOf(this.random));
    const outcomes = await ownStream(this.server.httpPort, rows);
    let state = initialState();
    for (const [i, row] of rows.entries()) {
      const wanted = await this.oracle.reference.step(row, state);
      this.oracle.compare(outcomes[i], wanted.output, `a connection's own stream, row ${i}`);
      this.oracle.counts.steps += 1;
      state = wanted.state;
    }
  }
}

function orCode(work) {
  try {
    return work();
  } catch (error) {
    if (error.code === undefined) throw error;
    return error.code;
  }
}

function expectCode(found, wanted, what) {
  const code = typeof found === "string" ? found : undefined;
  if (code !== wanted) throw new Error(`${what}: ${code ?? "succeeded"} instead of ${wanted ?? "success"}`);
}

/**
 * Runs one seed. Rejects with what was different.
 * @param {import("./gru.mjs").GruReference} reference
 * @param {(seed: number) => ReturnType<import("./random.mjs").randomOf>} randomOf
 * @param {number} seed
 */
export async function runSeed(reference, randomOf, seed) {
  const settings = settingsOf(seed);
  const server = await openServer(settings);
  const oracle = new Oracle(reference, settings.limit);
  const opened = [];
  try {
    const clients = [];
    for (let i = 0; i < CLIENTS; i++) {
      const client = await openWays(server);
      opened.push(client);
      // Numbers of its own, so that what one client does does not depend on when the others do it.
      clients.push(new Client(server, oracle, randomOf(seed * CLIENTS + i), i, client.ways));
    }
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(
        clients.map(async (client) => {
          for (let i = 0; i < ACTIONS_A_ROUND; i++) await client.act();
        }),
      );
      await oracle.compareStates(server.proc);
    }
    const { batchSizes } = server.proc.stats().gru;
    const sharing = batchSizes.reduce((sum, runs, rows) => (rows > 1 ? sum + rows * Number(runs) : sum), 0);
    return { ...oracle.counts, sharing, worst: oracle.worst, isExact: settings.limit === 0 };
  } finally {
    for (const { close } of opened) close();
    await server.close();
  }
}
