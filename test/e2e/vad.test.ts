/** The voice activity example as a user runs it: the same probabilities on every surface, alone and in company. */
import t, { type Test } from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { serveCommand } from "../support/cli.js";
import { RECORDINGS, VAD_MODULE } from "../support/paths.js";
import { distance, TOLERANCE, VAD_STEP, VadReference, vadSteps } from "../support/reference.js";
import { Peer } from "../support/sockets.js";
import { binaryFrame, binaryRequest, floatsOf, jsonRequest, readFrame } from "../support/steps.js";

// The example is plain JavaScript, so the compiler does not know it.
const module: string = "../../examples/vad/wav.mjs";
const { readWav } = (await import(module)) as { readWav(path: string): Promise<Float32Array> };

const MODEL = "/v2/models/silero-vad";
const NEIGHBOURS = 64;
const NEIGHBOUR_STEPS = 60;

/** The probabilities of a recording, on one surface of the server. */
type Way = (url: string, steps: readonly Float32Array[], stateId: string) => Promise<number[]>;

async function post(url: string, body: string | Uint8Array<ArrayBuffer>, headers = {}): Promise<Response> {
  const response = await fetch(url, { method: "POST", body, headers });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response;
}

async function onePost(
  steps: readonly Float32Array[],
  ask: (step: Float32Array, start: boolean) => Promise<number>,
): Promise<number[]> {
  const probabilities: number[] = [];
  for (const [index, step] of steps.entries()) probabilities.push(await ask(step, index === 0));
  return probabilities;
}

const ways: Readonly<Record<string, Way>> = {
  "POST /predict": (url, steps, stateId) => {
    const client = new HeadraceClient({ url });
    return onePost(steps, async (step, start) => {
      const { speech } = await client.predict<{ speech: number[][] }>({ audio: [...step] }, { stateId, start });
      return speech[0]?.[0] ?? Number.NaN;
    });
  },
  "V2 HTTP JSON": (url, steps, stateId) =>
    onePost(steps, async (step, start) => {
      const parameters = { sequence_id: stateId, sequence_start: start };
      const response = await post(`${url}${MODEL}/infer`, jsonRequest("audio", [step], { parameters }));
      const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
      return outputs[0]?.data[0] ?? Number.NaN;
    }),
  "V2 HTTP binary": (url, steps, stateId) =>
    onePost(steps, async (step, start) => {
      const parameters = { sequence_id: stateId, sequence_start: start, binary_data_output: true };
      const { header, tensor } = binaryRequest("audio", [step], { parameters });
      const response = await post(`${url}${MODEL}/infer`, Buffer.concat([header, tensor]) as Buffer<ArrayBuffer>, {
        "Inference-Header-Content-Length": String(header.byteLength),
      });
      const headerLength = Number(response.headers.get("Inference-Header-Content-Length"));
      return floatsOf(new Uint8Array(await response.arrayBuffer(), headerLength))[0] ?? Number.NaN;
    }),
  "WebSocket binary frames": async (url, steps, stateId) => {
    const peer = await Peer.open(t, `${url}${MODEL}/stream`);
    const probabilities: number[] = [];
    for (const [index, step] of steps.entries()) {
      const parameters = { sequence_id: stateId, sequence_start: index === 0 };
      peer.send(binaryFrame(binaryRequest("audio", [step], { parameters })));
      const frame = await peer.next();
      if (typeof frame === "string") throw new Error(frame);
      probabilities.push(floatsOf(readFrame(frame).tensor)[0] ?? Number.NaN);
    }
    await peer.close();
    return probabilities;
  },
  "WebSocket raw": async (url, steps, stateId) => {
    const stream = new HeadraceClient({ url, model: "silero-vad" }).stream(stateId, { raw: "audio", maxInFlight: 32 });
    const probabilities: number[] = [];
    const sending = (async () => {
      for (const step of steps) await stream.send(step);
      await stream.close();
    })();
    for await (const answer of stream) probabilities.push(floatsOf(answer)[0] ?? Number.NaN);
    await sending;
    return probabilities;
  },
};

const reference = await VadReference.load();
const recordings = await Promise.all(RECORDINGS.map((file) => readWav(file)));
const wanted = await Promise.all(recordings.map((samples) => reference.probabilities(samples)));

/** Both recordings over every surface, all of them at the same time. */
async function compare(t: Test, url: string, round: string): Promise<void> {
  const runs = Object.entries(ways).flatMap(([name, way]) =>
    recordings.map(async (samples, i) => {
      const found = await way(url, vadSteps(samples), `${round}-${name}-${i}`);
      t.ok(distance(found, wanted[i] ?? []) <= TOLERANCE, `${round}: ${name}, recording ${i}`);
    }),
  );
  await Promise.all(runs);
}

t.test("headrace serve examples/vad/vad.mjs", async (t) => {
  t.ok(
    wanted.some((probabilities) => Math.max(...probabilities) > 0.9),
    "the recordings hold speech",
  );
  const { url, command } = await serveCommand(t, VAD_MODULE);
  await new HeadraceClient({ url }).wait();

  await t.test("every surface gives the reference's probabilities", (t) => compare(t, url, "alone"));

  await t.test("and does so among 64 other streams, which are right too", async (t) => {
    const client = new HeadraceClient({ url, model: "silero-vad" });
    const slices = Array.from({ length: NEIGHBOURS }, (_, i) => {
      const samples = recordings[i % recordings.length] ?? new Float32Array();
      const offset = (i * 1511) % (samples.length - NEIGHBOUR_STEPS * VAD_STEP);
      return samples.slice(offset, offset + NEIGHBOUR_STEPS * VAD_STEP);
    });
    const neighbour = async (samples: Float32Array): Promise<number> => {
      const stream = client.stream(undefined, { raw: "audio" });
      const found: number[] = [];
      const sending = (async () => {
        for (const step of vadSteps(samples)) await stream.send(step);
        await stream.close();
      })();
      for await (const answer of stream) found.push(floatsOf(answer)[0] ?? Number.NaN);
      await sending;
      return distance(found, await reference.probabilities(samples));
    };
    const neighbours = Promise.all(slices.map(neighbour));
    await compare(t, url, "in company");
    t.ok(Math.max(...(await neighbours)) <= TOLERANCE, "the neighbours");
  });

  const { code, stderr } = await command.stop();
  t.equal(code, 0, "SIGTERM ends it well");
  t.equal(stderr, "");
});
