// The peer: what a good team writes today to serve a stateful model from Node without Headrace. One session, JSON
// or bytes in and out, the streams' states in a Map. Kept honest on purpose: reply schema compiled, logger off, one thread.
//
//   node server.mjs --model ../../models/gru512.onnx --kind gru --port 8080

import { parseArgs } from "node:util";
import Fastify from "fastify";
import { InferenceSession, Tensor } from "onnxruntime-node";

const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    kind: { type: "string", default: "gru" },
    port: { type: "string", default: "8080" },
  },
});

const CONTEXT_SAMPLES = 64; // Silero hears the end of the previous frame before each new one
const SAMPLE_RATE = new Tensor("int64", BigInt64Array.of(16000n), []);

/** What a stream carries from step to step, and how one step feeds the model, per kind of model. */
const kinds = {
  gru: {
    initial: () => ({ recurrent: new Float32Array(64) }),
    feeds: (state, input) => ({
      input: new Tensor("float32", input, [1, 512]),
      state: new Tensor("float32", state.recurrent, [1, 64]),
    }),
    next: (_feeds, results) => ({ recurrent: results.stateN.data }),
  },
  silero: {
    initial: () => ({ recurrent: new Float32Array(2 * 128), context: new Float32Array(CONTEXT_SAMPLES) }),
    feeds: (state, input) => {
      const samples = new Float32Array(CONTEXT_SAMPLES + input.length);
      samples.set(state.context);
      samples.set(input, CONTEXT_SAMPLES);
      return {
        input: new Tensor("float32", samples, [1, samples.length]),
        state: new Tensor("float32", state.recurrent, [2, 1, 128]),
        sr: SAMPLE_RATE,
      };
    },
    next: (feeds, results) => ({
      recurrent: results.stateN.data,
      context: feeds.input.data.subarray(-CONTEXT_SAMPLES),
    }),
  },
};

const kind = kinds[options.kind];
const session = await InferenceSession.create(options.model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const states = new Map();

async function step(stream, input) {
  const feeds = kind.feeds(states.get(stream) ?? kind.initial(), input);
  const results = await session.run(feeds);
  states.set(stream, kind.next(feeds, results));
  return results.output.data;
}

const app = Fastify({ logger: false });

app.addContentTypeParser("application/octet-stream", { parseAs: "buffer" }, (_request, body, done) => {
  done(null, body);
});

app.get("/ready", () => ({ ready: true }));

app.post(
  "/predict",
  {
    schema: {
      // The length alone is checked: validating 512 numbers one by one would only slow the peer down.
      body: {
        type: "object",
        required: ["stateId", "input"],
        properties: { stateId: { type: "string" }, input: { type: "array", minItems: 512, maxItems: 512 } },
      },
      response: {
        200: { type: "object", properties: { output: { type: "array", items: { type: "number" } } } },
      },
    },
  },
  async ({ body: { stateId, input } }) => ({ output: Array.from(await step(stateId, Float32Array.from(input))) }),
);

// The stream's number, as u32, and the input behind it.
app.post("/predict-binary", async ({ body }, reply) => {
  const { buffer } = Uint8Array.from(body); // aligned, which a slice of a pool need not be
  const output = await step(body.readUInt32LE(0), new Float32Array(buffer, 4));
  return reply.type("application/octet-stream").send(Buffer.from(output.buffer, output.byteOffset, output.byteLength));
});

await app.listen({ host: "127.0.0.1", port: Number(options.port) });
console.log(`listening on ${app.server.address().port}`);
