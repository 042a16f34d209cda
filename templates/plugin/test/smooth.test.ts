import assert from "node:assert/strict";
import { test } from "node:test";
import { Inference, init } from "headrace";
import { pipeline } from "../src/index.js";

test("a stream has a mean of its own, and the first value is its mean", async () => {
  const runtime = await init("local");
  try {
    const proc = await runtime.startInference(new Inference({ pipeline, parameters: { smooth: { weight: 0.5 } } }));
    assert.deepEqual(await proc.predict({ value: 4 }, { stateId: "a" }), { mean: 4 });
    assert.deepEqual(await proc.predict({ value: 8 }, { stateId: "a" }), { mean: 6 });
    assert.deepEqual(await proc.predict({ value: 1 }, { stateId: "b" }), { mean: 1 });
  } finally {
    await runtime.stop();
  }
});
