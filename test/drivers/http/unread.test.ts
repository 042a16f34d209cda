/** What clients that do not read their answers may make the server keep, all of them together. */
import t from "tap";
import { defineCell, PipelineFactory } from "../../../src/pipeline/index.js";
import { Integer, String as Text } from "../../../src/types/index.js";
import { scrape } from "../../support/metrics.js";
import { serve } from "../../support/serve.js";
import { Peer, postHead, RawConnection } from "../../support/sockets.js";

/** More than the system takes of an answer that nobody reads. */
const LARGE = 20_000_000;

/** Says so many letters. */
const Says = defineCell({
  name: "says",
  inputs: { letters: Integer() },
  outputs: { text: Text() },
  call: ({ inputs }) => ({ text: "x".repeat(inputs.letters) }),
});

function says() {
  const factory = new PipelineFactory({ name: "says" });
  const cell = factory.addCell("says", Says);
  return factory.declareInput("letters", cell.inputs.letters).declareOutput("text", cell.outputs.text).build();
}

t.test("answers beyond maxUnreadBytes are lost, and their clients are told", async (t) => {
  const { url, port } = await serve(t, says(), { maxUnreadBytes: 1 << 20 });
  const body = (letters: number): string => JSON.stringify({ inputs: { letters } });
  const ask = (letters: number) => fetch(`${url}/predict`, { method: "POST", body: body(letters) });
  const unread = async () => (await scrape(url)).value("headrace_listener_unread_bytes");
  const refused = async () =>
    (await scrape(url)).value("headrace_listener_refused_total", { reason: "too_many_unread" });

  const slow = await RawConnection.open(t, port);
  slow.socket.pause();
  await slow.write(postHead("/predict", { "Content-Length": body(LARGE).length }) + body(LARGE));
  while ((await unread()) === 0);

  const lost = await ask(LARGE);
  t.equal(lost.status, 429);
  t.equal(lost.headers.get("retry-after"), null, "it is done already");
  t.match(await lost.json(), {
    error: { code: "RESOURCE_EXHAUSTED", message: /maxUnreadBytes.* is done, its answer is lost/ },
  });
  t.equal((await ask(5)).status, 200, "small answers have room");
  const socket = await Peer.open(t, `${url}/v2/models/says/stream`);
  socket.socket.pause();
  socket.send(JSON.stringify({ inputs: [{ name: "letters", datatype: "INT64", shape: [1], data: [LARGE] }] }));
  while ((await refused()) < 2);
  socket.socket.resume();
  t.match(await socket.closed, { code: 1013, reason: /^RESOURCE_EXHAUSTED: .*maxUnreadBytes/ });

  slow.socket.resume();
  t.equal((await slow.answer()).status, 200);
  while ((await unread()) > 0);
  t.equal((await (await ask(LARGE)).json()).outputs.text.length, LARGE, "as before");
});
