/** What clients that do not read their answers may make the server keep, all of them together. */
import t from "tap";
import { defineCell, PipelineFactory } from "../../../src/pipeline/index.js";
import { Integer, String as Text } from "../../../src/types/index.js";
import { scrape } from "../../support/metrics.js";
import { serve } from "../../support/serve.js";
import { postHead, RawConnection } from "../../support/sockets.js";

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

t.test("beyond maxUnreadBytes the slowest clients are closed, and counted", async (t) => {
  const { url, port } = await serve(t, says(), { maxUnreadBytes: 1 << 20 });
  const body = (letters: number): string => JSON.stringify({ inputs: { letters } });
  const ask = (letters: number) => fetch(`${url}/predict`, { method: "POST", body: body(letters) });
  const unread = async () => (await scrape(url)).value("headrace_listener_unread_bytes");
  const closed = async () =>
    (await scrape(url)).value("headrace_listener_refused_total", { reason: "too_many_unread" });

  const stalled = async (): Promise<RawConnection> => {
    const connection = await RawConnection.open(t, port);
    connection.socket.pause();
    await connection.write(postHead("/predict", { "Content-Length": body(LARGE).length }) + body(LARGE));
    return connection;
  };

  const slowest = await stalled();
  while ((await unread()) === 0);
  t.equal((await (await ask(LARGE)).json()).outputs.text.length, LARGE, "who reads has its answer");
  const other = await stalled();
  while ((await closed()) === 0);
  for (const { socket } of [slowest, other]) socket.resume();
  await t.rejects(slowest.answer(), /the connection ended after/);
  t.equal((await other.answer()).status, 200);
  t.equal(await closed(), 1);
  t.equal(await unread(), 0);
});
