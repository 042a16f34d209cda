// One thread of the lifecycle torture: a runtime that several actors start, change and stop processes in, all at once.

import { init } from "../../../dist/index.js";
import { WIDTH } from "./gru.mjs";
import { HttpWire, post } from "./http-wire.mjs";
import { DRIVERS, KINDS, OPERATIONS } from "./lifecycle-kinds.mjs";
import { within } from "./server.mjs";

/** Processes at a time; one more stops one first. */
const MOST_PROCESSES = 3;
const LOAD = 16;
/** Generous: others may have the machine. */
const LIMIT_MILLIS = 60_000;
const HUNG = "it hung";
const MOST_PROBLEMS = 10;
/** What an operation may come to where its process or driver was stopped beside it. */
const ENDED = new Set(["UNAVAILABLE", "CANCELLED", "DRIVER_NOT_FOUND", "ECONNREFUSED", "ECONNRESET", "NO_ANSWER"]);

const codeOf = (error) => error.code ?? (/^no answer/.test(error.message) ? "NO_ANSWER" : error.message);

/** A server whose door is closed answers in words only, whatever was asked for. */
function answeredWith(status, error) {
  const code = error.code ?? (status === 503 ? "UNAVAILABLE" : `HTTP ${status}`);
  return Object.assign(new Error(error.message ?? error), { code });
}

export class World {
  /** @type {{ proc: object, kind: string, isEnding: boolean, drivers: Map<string, { kind: string, isEnding: boolean }> }[]} */
  #processes = [];
  #count = 0;
  /** What should not have been, at most a few. @type {string[]} */
  problems = [];
  /** @type {Record<string, number>} how often what was done */
  done = {};

  /** @param {string} name  of the thread, for what is reported */
  constructor(name) {
    this.name = name;
  }

  async open() {
    this.runtime = await init("local");
  }

  /** The next operation of an actor. @param {ReturnType<import("./random.mjs").randomOf>} random */
  async act(random, index) {
    const what = random.pick(OPERATIONS);
    this.done[what] = (this.done[what] ?? 0) + 1;
    try {
      await within(LIMIT_MILLIS, this[what](random), HUNG);
    } catch (error) {
      if (this.problems.length < MOST_PROBLEMS) {
        this.problems.push(`${this.name}, operation ${index}, ${what}: ${error.message}`);
      }
      if (error.message.startsWith(HUNG)) throw error;
    }
  }

  /** Stops what is left. */
  async close() {
    this.#processes.length = 0;
    await this.runtime.stop({ timeoutMs: 1000 });
  }

  #pick(random) {
    return this.#processes.length === 0 ? undefined : random.pick(this.#processes);
  }

  #take(random) {
    const record = this.#pick(random);
    if (record === undefined) return undefined;
    this.#processes.splice(this.#processes.indexOf(record), 1);
    record.isEnding = true;
    return record;
  }

  /** Only an end of what it was done to excuses a failure. */
  #excuse(error, ...records) {
    if (ENDED.has(codeOf(error)) && records.some(({ isEnding }) => isEnding)) return;
    throw new Error(`${codeOf(error)}: ${error.message}`, { cause: error });
  }

  async start(random) {
    if (this.#processes.length >= MOST_PROCESSES) await this.stop(random);
    const kind = random.pick(Object.keys(KINDS));
    const { runtime } = this;
    try {
      const proc = await runtime.startInference(KINDS[kind].make());
      // One that was started just before its runtime was stopped ends with it.
      if (runtime === this.runtime) this.#processes.push({ proc, kind, isEnding: false, drivers: new Map() });
    } catch (error) {
      this.#excuse(error, { isEnding: runtime !== this.runtime });
    }
  }

  async stop(random) {
    await this.#take(random)?.proc.stop({ timeoutMs: random.pick([1, 50, 5000]) });
  }

  async stopUnderLoad(random) {
    const record = this.#take(random);
    if (record === undefined) return;
    const load = Array.from({ length: LOAD }, (_, i) => this.#step(record, `load ${i % 4}`));
    await record.proc.stop({ timeoutMs: random.pick([1, 50, 5000]) });
    await Promise.all(load);
  }

  async stopWhileStarting(random) {
    const runtime = await init("local");
    const starting = runtime.startInference(KINDS[random.pick(Object.keys(KINDS))].make()).then(
      () => "started",
      (error) => error.code,
    );
    for (let turns = random.below(4); turns > 0; turns--) await new Promise((next) => setImmediate(next));
    await runtime.stop({ timeoutMs: 50 });
    const outcome = await starting;
    if (outcome !== "UNAVAILABLE" && outcome !== "started") throw new Error(`the start ended with ${outcome}`);
    if (runtime.listProcesses().length > 0) throw new Error("a process outlived its runtime");
  }

  async stopWhileAdding(random) {
    const record = this.#take(random);
    if (record === undefined) return;
    const adding = this.#add(record, random.pick(Object.keys(DRIVERS)));
    await record.proc.stop({ timeoutMs: 50 });
    await adding;
    if (record.proc.listDrivers().length > 0) throw new Error("a driver outlived its process");
  }

  async addDriver(random) {
    const record = this.#pick(random);
    if (record === undefined) return this.start(random);
    await this.#add(record, random.pick(Object.keys(DRIVERS)));
  }

  async #add(record, kind) {
    const ref = `${kind} ${++this.#count}`;
    const [Driver, parameters] = DRIVERS[kind];
    try {
      const driver = await record.proc.addDriver(ref, Driver, parameters());
      record.drivers.set(ref, { kind, driver, isEnding: false });
    } catch (error) {
      this.#excuse(error, record);
    }
  }

  async removeDriver(random) {
    const record = this.#pick(random);
    if (record === undefined || record.drivers.size === 0) return;
    const [ref, driver] = random.pick([...record.drivers]);
    record.drivers.delete(ref);
    // A flow ends by itself, and is then known no more.
    driver.isEnding = true;
    try {
      await record.proc.removeDriver(ref, { timeoutMs: random.pick([1, 1000]) });
    } catch (error) {
      this.#excuse(error, record, { isEnding: driver.kind === "flow" });
    }
  }

  async setReplicas(random) {
    const record = this.#pick(random);
    if (record === undefined) return;
    const load = Array.from({ length: LOAD }, (_, i) => this.#step(record, `load ${i % 4}`));
    await record.proc.setReplicas(1 + random.below(4)).catch((error) => this.#excuse(error, record));
    await Promise.all(load);
  }

  async setParameters(random) {
    const record = this.#pick(random);
    if (record?.kind !== "counter") return;
    try {
      record.proc.setParameters("counter", { step: random.below(9) });
    } catch (error) {
      this.#excuse(error, record);
    }
  }

  async predict(random) {
    const record = this.#pick(random);
    if (record === undefined) return;
    const ids = Array.from({ length: 1 + random.below(LOAD) }, () => `state ${random.below(8)}`);
    await Promise.all(ids.map((stateId) => this.#step(record, stateId)));
  }

  async #step(record, stateId) {
    const input = KINDS[record.kind].input();
    await record.proc.predict({ input }, { stateId }).catch((error) => this.#excuse(error, record));
  }

  async request(random) {
    const record = this.#pick(random);
    const served = record && [...record.drivers.values()].find(({ kind }) => kind === "http");
    if (served === undefined) return;
    const body = JSON.stringify({ inputs: { input: record.kind === "counter" ? 1 : [Array(WIDTH).fill(0)] } });
    try {
      const wire = await HttpWire.open(served.driver.getService("http").taggedAddresses.lan.port);
      try {
        wire.write(post("/predict", body));
        // Half of them do not wait.
        if (random.below(2) === 0) return;
        const { status, body: answer } = await wire.answer();
        if (status !== 200) throw answeredWith(status, JSON.parse(answer).error);
      } finally {
        wire.close();
      }
    } catch (error) {
      this.#excuse(error, record, served);
    }
  }

  async restart() {
    const next = await init("local");
    // All at once: what is started from here on is started in the new one.
    const { runtime } = this;
    this.runtime = next;
    for (const record of this.#processes.splice(0)) record.isEnding = true;
    await runtime.stop({ timeoutMs: 50 });
  }
}
