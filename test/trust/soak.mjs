/**
 * Soak: one server under load while state ids come and go, a tenth of them with each round, half of these ended on request and
 * half left to the time that states are kept. Its memory does not grow, and its states and descriptors return exactly.
 *
 * bench/memory.mjs has the other half: many states at the same time, and traffic without new ones.
 */
import { headraceServer, residentMib } from "../../bench/lib/headrace.mjs";
import { withServer } from "../../bench/lib/server.mjs";
import { median } from "../../bench/lib/statistics.mjs";
import { trustCheck } from "./lib/check.mjs";
import { Churn, LIVE, slopeOf } from "./lib/churn.mjs";
import { GRU } from "./lib/gru.mjs";
import { randomOf } from "./lib/random.mjs";
import { openFiles, SERVER_CORE, until } from "./lib/server.mjs";

const TTL_SECONDS = 3;
/** The first part fills what is there to be filled: heaps, caches, the chunks that states lie in. */
const FORMS = {
  short: { warmSeconds: 3, seconds: 8, sampleSeconds: 0.1 },
  long: { warmSeconds: 600, seconds: 3600, sampleSeconds: 5 },
};
const ABOUT =
  "One server under load for an hour, after 10 minutes that warm it up, with a tenth of its state ids replaced each round.\n" +
  "The short form takes 15 s: states and descriptors return exactly, and memory is only looked at for what is gross.";
const MOST_MIB_AN_HOUR = 1;
/** In seconds no slope can be told from a heap, which gives 14 MiB back whenever it likes; some KiB lost with each id can. */
const GROSS_MIB = 16;
const SETTLE_MILLIS = (TTL_SECONDS + 10) * 1000;

/** The sum of a metric over its samples. */
async function metricsOf(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: "close" } })).text();
  const sum = (name) => {
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"))].map(([, value]) =>
      Number(value),
    );
    if (values.length === 0) throw new Error(`GET /metrics has no ${name}`);
    return values.reduce((total, value) => total + value, 0);
  };
  return {
    live: sum("headrace_states"),
    stateBytes: sum("headrace_state_bytes"),
    evicted: sum("headrace_states_evicted_total"),
    waiting: sum("headrace_steps_waiting"),
  };
}

/** Rounds for so long; samples of the server's memory. @returns {Promise<{ x: number, y: number }[]>} hours and MiB */
async function roundsFor(seconds, churn, pid, sampleSeconds, progress) {
  const began = performance.now();
  const passed = () => (performance.now() - began) / 1000;
  const samples = [];
  while (passed() < seconds) {
    await churn.round();
    if (passed() < samples.length * sampleSeconds) continue;
    samples.push({ x: passed() / 3600, y: residentMib(pid) });
    progress(`${Math.round(passed())} of ${seconds} s, ${samples.at(-1).y.toFixed(1)} MiB`);
  }
  return samples;
}

/** What must have come back when all ids have ended or been left for long enough. */
async function checkReturn({ port, pid }, churn, before, { figure, holds }) {
  const wanted = LIVE + churn.counts.left;
  let during;
  // The state of a connection that was closed goes a moment later.
  await until(async () => {
    during = await metricsOf(port);
    return during.live + during.evicted === wanted;
  }, SETTLE_MILLIS);
  const known = during.live + during.evicted;
  holds("states that live or were evicted", `${wanted}, none lost`, known, known === wanted);
  await churn.close();
  const isBack = async () => {
    const { live, evicted } = await metricsOf(port);
    return live === 0 && evicted === churn.counts.left && openFiles(pid) <= before.files;
  };
  await until(isBack, SETTLE_MILLIS);
  const after = await metricsOf(port);
  for (const [name, count] of Object.entries(churn.counts)) figure(name, count);
  holds("live states at the end", "0", after.live, after.live === 0);
  holds(
    "states that were evicted",
    `${churn.counts.left}, all that were left`,
    after.evicted,
    after.evicted === churn.counts.left,
  );
  holds("steps that wait at the end", "0", after.waiting, after.waiting === 0);
  const files = openFiles(pid);
  holds("descriptors of the server", `at most ${before.files}, as before`, files, files <= before.files);
  return { during, after };
}

function checkMemory(samples, isLong, holds) {
  const middle = (part) => median(part.map(({ y }) => y));
  const half = samples.length >> 1;
  const [first, second] = [middle(samples.slice(0, half)), middle(samples.slice(half))];
  const halves = `${(second - first).toFixed(2)} MiB, from ${first.toFixed(1)} MiB`;
  if (!isLong) {
    const what = "memory, the middle of the second half against the first (too short for a slope)";
    holds(what, `at most ${GROSS_MIB} MiB more`, halves, second - first <= GROSS_MIB);
    return;
  }
  const slope = slopeOf(samples);
  const measured = `${slope.toFixed(3)} MiB an hour; the middle of the second half: ${halves}`;
  holds("growth of memory", `below ${MOST_MIB_AN_HOUR} MiB an hour`, measured, slope < MOST_MIB_AN_HOUR);
}

await trustCheck({
  name: "soak",
  about: ABOUT,
  work: async (check) => {
    const { isLong, seed, figure, holds, progress } = check;
    const { warmSeconds, seconds, sampleSeconds } = FORMS[isLong ? "long" : "short"];
    const server = headraceServer(GRU, { options: ["--state-ttl", String(TTL_SECONDS), "--max-states", "1000000"] });
    await withServer(server, SERVER_CORE, async ({ port, pid }) => {
      await metricsOf(port);
      const before = { files: openFiles(pid) };
      const churn = new Churn(port, randomOf(seed));
      await churn.open();
      await roundsFor(warmSeconds, churn, pid, sampleSeconds, progress);
      const warm = await metricsOf(port);
      const samples = await roundsFor(seconds, churn, pid, sampleSeconds, progress);
      checkMemory(samples, isLong, holds);
      const { during } = await checkReturn({ port, pid }, churn, before, check);
      figure("memory, MiB", residentMib(pid));
      figure("allocated for states after the warm-up, bytes", warm.stateBytes);
      figure("allocated for states at the end, bytes", during.stateBytes);
    });
  },
});
