import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Inference, init } from "headrace";
import { pipeline, WaveDriver } from "../src/index.js";

test("makes its steps and ends", async () => {
  const runtime = await init("local");
  try {
    const proc = await runtime.startInference(new Inference({ pipeline }));
    const wave = await proc.addDriver("wave", WaveDriver, { count: 3, intervalMs: 0 });
    while (wave.status !== "stopped" && wave.status !== "failed") await once(wave, "status");
    assert.equal(wave.error, undefined);
    assert.deepEqual(proc.listDrivers(), []);
  } finally {
    await runtime.stop();
  }
});

test("stops when it is asked to, in the middle of its wait", async () => {
  const runtime = await init("local");
  try {
    const proc = await runtime.startInference(new Inference({ pipeline }));
    const wave = await proc.addDriver("wave", WaveDriver, { intervalMs: 3_600_000 });
    await wave.stop();
    assert.equal(wave.status, "stopped");
  } finally {
    await runtime.stop();
  }
});

test("says which option does not fit", () => {
  assert.throws(() => new WaveDriver({ count: -1 }), { code: "INVALID_ARGUMENT", path: "count" });
});
