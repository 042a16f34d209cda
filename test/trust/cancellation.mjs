/**
 * Steps are cancelled at every stage, in every way that can reach it: where the step did not commit, the state of its stream is
 * what it was, bit by bit, and what the answer says of that is true.
 */
import { CASES, Missed } from "./lib/cancel-cases.mjs";
import { raceCancellations } from "./lib/cancel-race.mjs";
import { gatedServer, longServer, plainServer, waitingServer } from "./lib/cancel-servers.mjs";
import { PLODDER, Streams } from "./lib/cancel-stream.mjs";
import { WAYS } from "./lib/cancel-ways.mjs";
import { trustCheck } from "./lib/check.mjs";
import { GruReference } from "./lib/gru.mjs";
import { randomOf } from "./lib/random.mjs";

const TIMES = { short: 8, long: 400 };
const RACES = { short: 400, long: 40_000 };
/** A step that time cancels may be cancelled before it is where it should be. */
const MOST_TRIES = 5;
const STAGES = ["queued", "batched", "running", "completing", "writing"];
const ABOUT =
  "Cancels steps at each stage (queued, batched, running, completing, writing), by AbortSignal, timeout and a client that\n" +
  "goes away, and looks at the state of the stream; then at random times. 8 times each way and 400 races, or 400 and 40000.";

/** The servers, and states that their streams can begin with. */
async function openServers(streams, reference) {
  const servers = {
    waiting: await waitingServer(),
    long: await longServer(),
    plain: await plainServer("lanes"),
    inline: await plainServer("inline"),
    gated: await gatedServer(),
  };
  const gru = await streams.pool(servers.plain, reference);
  const another = () => servers.long.proc.predict({ input: new Float32Array(PLODDER.width) });
  const long = await streams.pool(servers.long, PLODDER, another);
  servers.gated.gate.isOpen = true;
  const gated = await streams.pool(servers.gated, reference);
  servers.gated.gate.isOpen = false;
  return { servers, pools: { waiting: gru, plain: gru, inline: gru, long, gated } };
}

/** One case in one way, so many times. @returns what became of each */
async function repeat({ stage, server: name, run }, way, times, streams, { servers, pools }) {
  const counts = { reached: 0, missed: 0, before: 0, done: 0 };
  for (let i = 0; counts.reached < times && i < MOST_TRIES * times; i++) {
    const stream = streams.make(servers[name], pools[name]);
    try {
      const said = await run(servers[name], stream, WAYS[way]);
      const did = await stream.did();
      if (said !== did || !(did in counts)) throw new Error(`said '${said}', and the state is '${did}'`);
      counts.reached += 1;
      counts[did] += 1;
    } catch (error) {
      if (!(error instanceof Missed)) throw new Error(`${stage}, ${name}, ${way}: ${error.message}`, { cause: error });
      counts.missed += 1;
      await stream.did();
    }
  }
  return counts;
}

/** Every case in every way. @returns what was wrong, and how often each stage was reached */
async function allCases(times, streams, opened, { figure, progress }) {
  const problems = [];
  const reached = new Map(STAGES.map((stage) => [stage, 0]));
  for (const one of CASES) {
    for (const way of one.ways) {
      const name = `${one.stage} (${one.server}), ${way}`;
      progress(name);
      try {
        const counts = await repeat(one, way, times, streams, opened);
        reached.set(one.stage, reached.get(one.stage) + counts.reached);
        if (counts.reached === 0) problems.push(`${name}: never reached`);
        figure(name, `${counts.before} as before, ${counts.done} done, ${counts.missed} elsewhere`);
      } catch (error) {
        problems.push(error.message);
        process.stderr.write(`${error.stack}\n${error.cause?.stack}\n`);
      }
    }
  }
  return { problems, reached };
}

await trustCheck({
  name: "cancellation",
  about: ABOUT,
  work: async (check) => {
    const { isLong, seed, holds, progress } = check;
    const form = isLong ? "long" : "short";
    const reference = await GruReference.load();
    const streams = new Streams(randomOf(seed));
    const opened = await openServers(streams, reference);
    const { problems, reached } = await allCases(TIMES[form], streams, opened, check);
    const goal = "the state is as before, bit by bit, or that of the whole step, and the answer says which";
    holds("cancelled at a known stage", goal, problems.join("; ") || "always so", problems.length === 0);
    const stages = [...reached].map(([stage, count]) => `${stage} ${count}`).join(", ");
    holds("stages reached", "every one", stages, Math.min(...reached.values()) > 0);
    progress("races");
    const { wrong, before, done } = await raceCancellations(opened, streams, RACES[form]);
    const outcome = wrong[0] ?? `${before} as before, ${done} done`;
    holds("cancelled at a random time", goal, outcome, wrong.length === 0);
    holds("races", "some lost, some won", `${before}, ${done}`, before * done > 0);
    for (const server of Object.values(opened.servers)) await server.close();
    await reference.release();
  },
});
