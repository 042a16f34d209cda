/** What a stream makes of a server's answer that is no WebSocket, whatever that answer is. */
import { createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { gruPipeline, serve } from "../support/serve.js";

/** With a header of its own a client takes `ws` even where the platform has a WebSocket, which would keep the answer to itself. */
const headers = { "x-client": "test" };

interface Refusing {
  readonly client: HeadraceClient;
  /** Resolves once the server has answered with all that it will. */
  readonly answered: Promise<void>;
  /** Resolves once the client's connection is gone. */
  readonly gone: Promise<void>;
}

/** A server that answers its first request with `write` and leaves closing the connection to the client. */
async function refusing(t: Test, write: (socket: Socket) => void, timeoutMs = 30_000): Promise<Refusing> {
  let tellAnswered: () => void;
  let tellGone: () => void;
  const answered = new Promise<void>((resolve) => {
    tellAnswered = resolve;
  });
  const gone = new Promise<void>((resolve) => {
    tellGone = resolve;
  });
  const server = createServer((socket) => {
    socket.on("error", () => {}).on("close", () => tellGone());
    socket.once("data", () => {
      write(socket);
      tellAnswered();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const client = new HeadraceClient({ url: `http://127.0.0.1:${port}`, model: "echo", headers, timeoutMs });
  return { client, answered, gone };
}

const head = (status: string, length: number) => `HTTP/1.1 ${status}\r\nContent-Length: ${length}\r\n\r\n`;

t.test("streams, sets of streams and subscriptions say what the server says", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  const client = new HeadraceClient({ url, model: "gru", headers });
  const unknown = { code: "NOT_FOUND", message: /other/ };
  await t.rejects(client.stream("s", { model: "other" }).opened(), unknown);
  await t.rejects(client.stream("s", { model: "other" }).next(), unknown);
  await t.rejects(client.streams({ model: "other" }).opened(), unknown);
  await t.rejects(client.streams({ model: "other" }).open("s").next(), unknown);
  await t.rejects(client.subscribe("s", { model: "other" }).next(), unknown);
  const wrongInput = { code: "INVALID_ARGUMENT", message: /there is no input 'wrong'; the model's input is input/ };
  await t.rejects(client.stream("s", { raw: "wrong" }).send(new Float32Array(512)), wrongInput);
  await t.rejects(client.streams({ raw: "wrong" }).opened(), wrongInput);
});

for (const [status, body, code, message] of [
  ["401 Unauthorized", '{"error":"a token is needed"}', "UNAUTHENTICATED", /^a token is needed$/],
  ["404 Not Found", '{"error":{"code":"MODEL_NOT_FOUND","message":"no echo"}}', "MODEL_NOT_FOUND", /^no echo$/],
  ["429 -", '{"error":"full"}', "RESOURCE_EXHAUSTED", /^full$/],
  ["502 Bad Gateway", "<html>nginx</html>", "UNAVAILABLE", /^the server answered 502: <html>nginx<\/html>$/],
  ["302 Found", "", "INTERNAL", /^the server answered 302$/],
] as const) {
  t.test(`an answer of ${status} is ${code}`, async (t) => {
    const { client, gone } = await refusing(t, (socket) => socket.write(head(status, body.length) + body));
    const stream = client.stream();
    await t.rejects(stream.next(), { code, message });
    await t.rejects(stream.close(), { code, message });
    await gone;
  });
}

t.test("a body that is long, slow or cut is read no further than it helps", async (t) => {
  const long = await refusing(t, (socket) => socket.write(head("404 -", 1e9) + "a".repeat(1e6)));
  await t.rejects(long.client.stream().opened(), { code: "NOT_FOUND", message: /^the server answered 404: a{200}$/ });
  await long.gone;
  const slow = await refusing(t, (socket) => socket.write(`${head("403 -", 100)}not yo`));
  await t.rejects(slow.client.stream().opened(), { code: "PERMISSION_DENIED", message: /403: not yo$/ });
  await slow.gone;
  const cut = await refusing(t, (socket) => socket.end(`${head("400 -", 100)}{"error":"`));
  await t.rejects(cut.client.stream().opened(), { code: "INVALID_ARGUMENT", message: /400: {"error":"$/ });
  await cut.gone;
});

t.test("whoever gives up while the body comes leaves no connection", async (t) => {
  const begin = (socket: Socket) => socket.write(`${head("404 -", 100)}not `);
  // Time for the client to have read what was sent.
  const reading = () => new Promise((resolve) => setTimeout(resolve, 100));
  const aborted = await refusing(t, begin);
  const controller = new AbortController();
  const stream = aborted.client.stream("s", { signal: controller.signal });
  await aborted.answered;
  await reading();
  controller.abort();
  await t.rejects(stream.next(), { code: "CANCELLED" });
  await aborted.gone;

  const left = await refusing(t, begin);
  const other = left.client.stream();
  await left.answered;
  await reading();
  await other.return();
  t.same(await other.next(), { done: true, value: undefined });
  await left.gone;

  const late = await refusing(t, begin, 300);
  await t.rejects(late.client.stream().opened(), { code: "DEADLINE_EXCEEDED" });
  await late.gone;

  const closed = await refusing(t, begin);
  const last = closed.client.streams();
  await closed.answered;
  await t.rejects(last.close(), { code: "NOT_FOUND" }, "closing waits for why there is nothing to close");
  await closed.gone;
});
