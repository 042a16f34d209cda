/** setReplicas while streams are stepped: nothing is lost, nothing is mixed, and order is kept. */
import t from "tap";
import { myPipeline } from "../support/cells.js";
import { distance, GruReference, TOLERANCE } from "../support/reference.js";
import { gruPipeline, start } from "../support/serve.js";
import { gruInput } from "../support/steps.js";

const reference = await GruReference.load();
const STREAMS = 12;
const STEPS = 40;

for (const execution of ["inline", "lanes"] as const) {
  t.test(`streams go on as if nothing had happened (${execution})`, async (t) => {
    const process = await start(t, await gruPipeline({ execution, batching: { maxSize: 3 } }));
    const streams = Array.from({ length: STREAMS }, async (_, stream) => {
      const alone = reference.stream();
      const seeds = Array.from({ length: STEPS }, (_, step) => stream * 1000 + step);
      // All at once: their order is the process's to keep.
      const answers = await Promise.all(
        seeds.map((seed) => process.predict({ input: gruInput(seed) }, { stateId: `s${stream}` })),
      );
      let worst = 0;
      for (const [i, seed] of seeds.entries()) {
        const { output } = answers[i] as { output: Float32Array };
        worst = Math.max(worst, distance(output, await alone.step(gruInput(seed))));
      }
      return worst;
    });
    for (const replicas of [3, 1, 2, 4, 1, 1, 2]) await process.setReplicas(replicas);
    for (const worst of await Promise.all(streams)) t.ok(worst <= TOLERANCE);
    await process.setReplicas(1);
    const { output } = (await process.predict({ input: gruInput(1) })) as { output: Float32Array };
    t.ok(distance(output, await reference.stream().step(gruInput(1))) <= TOLERANCE);
    t.equal(process.stats().model?.succeeded, BigInt(STREAMS * STEPS + 1));
  });
}

t.test("of one cell, and what is refused", async (t) => {
  const process = await start(t, await gruPipeline());
  await process.setReplicas(2, "model");
  const wrong = { code: "INVALID_ARGUMENT" };
  await t.rejects(process.setReplicas(2, "other"), { ...wrong, message: /there are model$/ });
  for (const replicas of [0, 1.5, -1, Number.NaN, 1000])
    await t.rejects(process.setReplicas(replicas), { ...wrong, path: "replicas" });
  const stopping = process.stop();
  await stopping;
  await t.rejects(process.setReplicas(2), { code: "UNAVAILABLE" });

  const debug = await start(t, await gruPipeline(), "debug");
  await t.rejects(debug.setReplicas(2), { ...wrong, message: /calling thread/ });
  const functions = await start(t, myPipeline());
  await functions.setReplicas(2);
  t.pass("a process without models has nothing to change");
});

t.test("while it stops", async (t) => {
  const process = await start(t, await gruPipeline({ execution: "lanes" }));
  const work = Array.from({ length: 50 }, (_, i) => process.predict({ input: gruInput(i) }, { stateId: `${i % 5}` }));
  const changes = [3, 1, 2].map((replicas) => process.setReplicas(replicas).catch((error) => error.code));
  await process.stop();
  for (const outcome of await Promise.all(changes))
    t.ok(outcome === undefined || outcome === "UNAVAILABLE", `${outcome}`);
  t.equal((await Promise.allSettled(work)).filter(({ status }) => status === "fulfilled").length, 50);
});
