/** Many drivers on one process at once: no two streams mix, and one that is removed costs the others nothing. */
import { getActiveResourcesInfo } from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { HttpDriver } from "../../src/drivers/http/index.js";
import { SourceSinkDriver } from "../../src/drivers/source-sink/index.js";
import { defineCell, onnxCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Sink, type SinkItem } from "../../src/sinks/sink.js";
import { Source, type SourceItem } from "../../src/sources/source.js";
import { Integer } from "../../src/types/index.js";
import { myPipeline } from "../support/cells.js";
import { SILERO } from "../support/paths.js";
import { VAD_STEP, VadReference } from "../support/reference.js";
import { start } from "../support/serve.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const IDS = 1000;
/** How long the load lasts; the assertions do not depend on it. */
const LOAD_MILLIS = 10_000;

const Count = defineCell({
  name: "Count",
  inputs: { id: Integer() },
  outputs: { id: Integer(), step: Integer(), sum: Integer() },
  state: { step: Integer({ default: 0 }), sum: Integer({ default: 0 }) },
  async call({ inputs, state }) {
    // Steps of different ids overlap.
    if (inputs.id % 3 === 0) await new Promise(setImmediate);
    state.step += 1;
    state.sum += inputs.id;
    return { id: inputs.id, step: state.step, sum: state.sum };
  },
});

function counters() {
  const pf = new PipelineFactory({ name: "counters" });
  const count = pf.addCell("count", Count);
  return pf
    .declareInput("id", count.inputs.id)
    .declareOutput("id", count.outputs.id)
    .declareOutput("step", count.outputs.step)
    .declareOutput("sum", count.outputs.sum)
    .build();
}

/** What each state id has seen: the step it is at. */
class Ledger {
  private readonly steps = new Map<string, number>();
  answered = 0;
  wrong: string[] = [];

  take(stateId: string, id: number, answer: Readonly<Record<string, unknown>>): void {
    const step = (this.steps.get(stateId) ?? 0) + 1;
    this.steps.set(stateId, step);
    this.answered += 1;
    const isRight = answer.id === id && answer.step === step && answer.sum === id * step;
    if (!isRight) this.wrong.push(`${stateId}: expected step ${step} of ${id}, got ${JSON.stringify(answer)}`);
  }
}

/** Gives the same number until it is asked to end. */
class Numbers extends Source {
  constructor(
    private readonly number: number,
    private readonly until: () => boolean,
  ) {
    super();
  }

  async *read(): AsyncGenerator<SourceItem> {
    while (!this.until()) {
      yield { inputs: { id: this.number } };
      await new Promise(setImmediate);
    }
  }
}

class LedgerSink extends Sink {
  constructor(private readonly ledger: Ledger) {
    super();
  }

  async write({ stateId, outputs }: SinkItem): Promise<void> {
    this.ledger.take(stateId, Number(outputs.id), outputs);
  }
}

t.test("two HTTP drivers and one of sources, 1,000 state ids across them", async (t) => {
  const proc = await start(t, counters());
  const webs = [
    await proc.addDriver("one", HttpDriver, { port: 0 }),
    await proc.addDriver("two", HttpDriver, { port: 0 }),
  ];
  const until = performance.now() + LOAD_MILLIS;
  const isOver = (): boolean => performance.now() >= until;
  const ledger = new Ledger();
  const sources = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`s${i}`, { source: new Numbers(5000 + i, isOver) }]),
  );
  const flow = await proc.addDriver("flow", SourceSinkDriver, {
    sources,
    sinks: { all: { sink: new LedgerSink(ledger) } },
  });

  // Each client has ids of its own and steps them in turn, now through one driver, now through the other.
  const clients = webs.map((web) => new HeadraceClient({ process: web }));
  let failed = 0;
  const walk = async (worker: number): Promise<void> => {
    for (let turn = 0; !isOver(); ++turn) {
      const id = worker * (IDS / 20) + (turn % (IDS / 20));
      // The second driver is removed half-way: then everything goes through the first.
      const client = webs[1]?.status === "running" && turn % 2 === 1 ? clients[1] : clients[0];
      try {
        const answer = await client?.predict({ id }, { stateId: `id-${id}` });
        ledger.take(`id-${id}`, id, answer ?? {});
      } catch (error) {
        // Refused by the driver that is being removed: it never ran.
        if ((error as { code?: string }).code !== "UNAVAILABLE") throw error;
        failed += 1;
      }
    }
  };
  const walks = Array.from({ length: 20 }, (_, worker) => walk(worker));
  while (performance.now() < until - LOAD_MILLIS / 2) await new Promise((resolve) => setTimeout(resolve, 50));
  await proc.removeDriver("two");
  await Promise.all(walks);
  await flow.ended();
  t.same(ledger.wrong.slice(0, 5), []);
  t.ok(ledger.answered > IDS, `${ledger.answered} answers, ${failed} refused while a driver stopped`);
});

t.test("the VAD, over two drivers at once, equals each recording alone", async (t) => {
  const reference = await VadReference.load();
  const factory = new PipelineFactory({ name: "vad" });
  const vad = factory.addCell(
    "vad",
    onnxCell({
      name: "vad",
      model: SILERO,
      inputs: { audio: "input" },
      outputs: { speech: "output" },
      constants: { sr: 16000n },
      context: { audio: 64 },
    }),
  );
  const pipeline = factory.declareInput("audio", vad.inputs.audio).declareOutput("speech", vad.outputs.speech).build();
  const proc = await start(t, pipeline);
  const clients: HeadraceClient[] = [];
  for (const ref of ["one", "two"]) {
    const web = await proc.addDriver(ref, HttpDriver, { port: 0 });
    clients.push(new HeadraceClient({ process: web, model: "vad" }));
  }
  const speech = (seed: number): Float32Array =>
    Float32Array.from(
      { length: 8 * VAD_STEP },
      (_, i) => 0.3 * Math.sin((i * (seed + 2)) / 17) * Math.sin(i / (50 + seed)),
    );
  await Promise.all(
    Array.from({ length: 64 }, async (_, stream) => {
      const samples = speech(stream);
      const expected = await reference.probabilities(samples);
      const found: number[] = [];
      for (let step = 0; step < 8; ++step) {
        const data = samples.slice(step * VAD_STEP, (step + 1) * VAD_STEP);
        const audio = { datatype: "FP32", shape: [1, VAD_STEP], data } as const;
        const client = clients[(stream + step) % 2];
        const answer = await client?.infer({ audio }, { stateId: `s${stream}` });
        found.push(Number(answer?.outputs.speech?.data[0]));
      }
      const worst = Math.max(...found.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN))));
      t.ok(worst <= 1e-5, `stream ${stream}: ${worst}`);
    }),
  );
});

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}

t.test("200 drivers come and go under load, and leave nothing behind", async (t) => {
  const proc = await start(t, myPipeline());
  let isOver = false;
  let predictions = 0;
  const load = Array.from({ length: 4 }, async (_, worker) => {
    for (let step = 1; !isOver; ++step) {
      const { counter } = await proc.predict({ input: 1 }, { stateId: `w${worker}` });
      if (counter !== step) throw new Error(`worker ${worker}: step ${step} was counted as ${counter}`);
      predictions += 1;
      await new Promise(setImmediate);
    }
  });
  const cycle = async (i: number): Promise<void> => {
    const web = await proc.addDriver(`web-${i}`, HttpDriver, { port: 0 });
    const client = new HeadraceClient({ process: web });
    await client.predict({ input: i }, { stateId: `cycle-${i % 10}` });
    await proc.removeDriver(web.pid);
  };
  await cycle(0);
  const before = getActiveResourcesInfo().length;
  const resident: number[] = [];
  const kept: number[] = [];
  for (let i = 1; i <= 200; ++i) {
    await cycle(i);
    if (i % 25 !== 0) continue;
    // What is only garbage says nothing: how much of it there is depends on when it was last collected.
    collect();
    const { rss, heapUsed, external } = process.memoryUsage();
    resident.push(rss);
    kept.push(heapUsed + external);
  }
  isOver = true;
  await Promise.all(load);
  t.ok(predictions > 200);
  t.same(proc.listDrivers(), []);
  // Connections that a client keeps open to servers that are gone close by themselves, one turn or two later.
  while (getActiveResourcesInfo().length > before) await new Promise(setImmediate);
  t.pass("handles are what they were");
  // The middle of each half: pages that were freed go back to the system when it pleases, and one low sample is no base line.
  const grown = (samples: readonly number[]): number => median(samples.slice(4)) - median(samples.slice(0, 4));
  const mebibytes = (samples: readonly number[]): string => samples.map((bytes) => bytes >> 20).join(", ");
  t.ok(grown(kept) < 8 << 20, `JavaScript's memory, every 25 cycles: ${mebibytes(kept)} MiB`);
  t.ok(grown(resident) < 32 << 20, `resident memory, every 25 cycles: ${mebibytes(resident)} MiB`);
});

t.test("a driver that is gone leaves nothing on the heap", async (t) => {
  const proc = await start(t, myPipeline());
  const cycles = async (count: number): Promise<number> => {
    for (let i = 0; i < count; ++i) await (await proc.addDriver("web", HttpDriver, { port: 0 })).stop();
    await new Promise(setImmediate);
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await cycles(50);
  const grown = (await cycles(150)) - before;
  t.ok(grown < 1 << 20, `150 drivers left ${grown >> 10} KiB`);
});
