/**
 * A differential oracle: random runs of a whole server, over every protocol that it speaks, against a Map of states and ONNX
 * Runtime run one row at a time. Seeds that fail are repeated by their numbers.
 */
import { trustCheck } from "./lib/check.mjs";
import { GruReference } from "./lib/gru.mjs";
import { TOLERANCE } from "./lib/oracle-model.mjs";
import { runSeed } from "./lib/oracle-run.mjs";
import { randomOf } from "./lib/random.mjs";

const SEEDS = { short: 10, long: 1000 };
const ABOUT =
  "Random runs of a server over HTTP, WebSocket, gRPC and in the process, compared with a Map of states and\n" +
  "onnxruntime-node: outputs, states, their number, and what is refused. Seeds from --seed on: 10, or 1000 with --long.";
/** A seed takes about a second; one that takes this long hangs. */
const SEED_MILLIS = 60_000;

/** Rejects where a seed does not end. */
function limited(work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${SEED_MILLIS / 1000} s`)), SEED_MILLIS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

await trustCheck({
  name: "oracle",
  about: ABOUT,
  work: async ({ isLong, seed: first, figure, holds, progress }) => {
    const count = isLong ? SEEDS.long : SEEDS.short;
    const reference = await GruReference.load();
    const sums = { steps: 0, refused: 0, cancelled: 0, moved: 0, sharing: 0, comparisons: 0 };
    const worst = { exact: 0, batched: 0 };
    const failed = [];
    for (let seed = first; seed < first + count; seed++) {
      progress(`seed ${seed}, ${failed.length} failed`);
      try {
        const run = await limited(runSeed(reference, randomOf, seed));
        for (const name of Object.keys(sums)) sums[name] += run[name];
        const kind = run.isExact ? "exact" : "batched";
        worst[kind] = Math.max(worst[kind], run.worst);
      } catch (error) {
        failed.push(seed);
        process.stderr.write(`seed ${seed}: ${error.stack}\nrepeat it: node test/trust/oracle.mjs --seed ${seed}\n`);
      }
    }
    await reference.release();
    for (const [name, sum] of Object.entries(sums)) figure(name, sum);
    figure("largest difference, one row a run", worst.exact);
    figure("largest difference, batched", worst.batched);
    const goal = `bit-identical with one row a run, else within ${TOLERANCE}; as many states as the Map`;
    const measured = failed.length === 0 ? `${count} of ${count}` : `not seeds ${failed.slice(0, 20).join(", ")}`;
    holds("seeds that match the model", goal, measured, failed.length === 0);
    const kinds = [sums.steps, sums.refused, sums.cancelled, sums.moved, sums.sharing];
    holds(
      "steps, refused, cancelled, states moved, rows that shared a run",
      "all above 0",
      kinds.join(", "),
      Math.min(...kinds) > 0,
    );
  },
});
