/** Request ids and the access log: what is echoed, what is written, and that neither is there unasked. */
import { type Logger, pino } from "pino";
import t, { type Test } from "tap";
import { bytesOf } from "../../../src/datatype.js";
import { HttpDriver, type HttpParameters } from "../../../src/drivers/http/index.js";
import type { Pipeline } from "../../../src/pipeline/index.js";
import { myPipeline } from "../../support/cells.js";
import { Gate } from "../../support/gate.js";
import { gruPipeline, start } from "../../support/serve.js";
import { Peer, postHead, RawConnection, refusedUpgrade } from "../../support/sockets.js";
import { binaryRequest, gruInput, jsonRequest } from "../../support/steps.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Serves a pipeline with its access log, where it is on, in `lines`. */
async function logged(t: Test, pipeline: Pipeline, parameters: Partial<HttpParameters> = {}) {
  const lines: Record<string, unknown>[] = [];
  const log: Logger = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  class LoggedDriver extends HttpDriver {
    protected override makeAccessLog(): Logger {
      return log;
    }
  }
  const process = await start(t, pipeline);
  const driver = await process.addDriver("web", LoggedDriver, { port: 0, ...parameters });
  const { port } = driver.getService("http").taggedAddresses.lan;
  return { process, driver, port, url: `http://127.0.0.1:${port}`, lines };
}

const post = (url: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body: body as BodyInit, headers });

t.test("an id that was sent is echoed on every kind of answer, and no id otherwise", async (t) => {
  const { url } = await logged(t, await gruPipeline());
  const infer = jsonRequest("input", [gruInput(1)]);
  const { header, tensor } = binaryRequest("input", [gruInput(1)], { parameters: { binary_data_output: true } });
  const binary = { "Inference-Header-Content-Length": String(header.length) };
  const predict = JSON.stringify({ inputs: { input: [...gruInput(1)] } });
  const requests: [string, (headers: Record<string, string>) => Promise<Response>][] = [
    ["health", (headers) => fetch(`${url}/health/live`, { headers })],
    ["V2 JSON", (headers) => post(`${url}/v2/models/gru/infer`, infer, headers)],
    // The same header again takes a shorter way.
    ...Array.from({ length: 3 }, (_, round): (typeof requests)[number] => [
      `V2 binary ${round}`,
      (headers) => post(`${url}/v2/models/gru/infer`, Buffer.concat([header, tensor]), { ...headers, ...binary }),
    ]),
    ["V2 error", (headers) => post(`${url}/v2/models/gru/infer`, "{}", headers)],
    ["predict", (headers) => post(`${url}/predict`, predict, headers)],
    ["task", (headers) => post(`${url}/tasks`, predict, headers)],
    ["no such task", (headers) => fetch(`${url}/tasks/1`, { method: "DELETE", headers })],
    ["nothing", (headers) => fetch(`${url}/nothing`, { headers })],
    ["wrong method", (headers) => fetch(`${url}/predict`, { headers })],
    ["page", (headers) => fetch(`${url}/docs`, { headers })],
  ];
  for (const [name, request] of requests) {
    const answer = await request({ "x-request-id": "trace ~1!" });
    await answer.arrayBuffer();
    t.equal(answer.headers.get("x-request-id"), "trace ~1!", name);
    const without = await request({});
    await without.arrayBuffer();
    t.equal(without.headers.get("x-request-id"), null, name);
  }
});

t.test("an id that is not printable ASCII of at most 128 characters is replaced", async (t) => {
  const { port } = await logged(t, myPipeline());
  const connection = await RawConnection.open(t, port);
  const echoed = async (id: string) => {
    await connection.write(`GET /health/live HTTP/1.1\r\nHost: test\r\nX-Request-Id: ${id}\r\n\r\n`);
    return (await connection.answer()).headers["x-request-id"];
  };
  t.equal(await echoed("a".repeat(128)), "a".repeat(128));
  for (const id of ["a".repeat(129), "a\tb", "\u00e4"]) t.match(await echoed(id), UUID, id);
  t.not(await echoed("a\tb"), await echoed("a\tb"), "each its own");
  t.equal(await echoed(""), undefined, "it counts as none");
});

t.test("errors of plain REST name the request, those of V2 have their message only", async (t) => {
  const { url } = await logged(t, myPipeline());
  const headers = { "x-request-id": "r1" };
  t.match(await (await post(`${url}/predict`, "{}", headers)).json(), { error: { code: String, requestId: "r1" } });
  t.notOk("requestId" in ((await (await post(`${url}/predict`, "{}")).json()) as { error: object }).error);
  const v2 = (await (await post(`${url}/v2/models/MyPipeline/infer`, "{}", headers)).json()) as object;
  t.same(Object.keys(v2), ["error"]);
});

t.test("one line for each request, without bodies and queries, and only while it is on", async (t) => {
  const { url, driver, lines } = await logged(t, myPipeline());
  const body = '{"inputs":{"input":7654321234567},"stateId":"secret"}';
  await (await post(`${url}/predict`, body)).text();
  t.same(lines, [], "it is off by default");

  await driver.setParameters({ ...driver.getParameters(), accessLog: true });
  const answer = await post(`${url}/predict?key=secret`, body, { "x-request-id": "mine" });
  const { length } = await answer.text();
  const made = await fetch(`${url}/health/live`);
  await made.text();
  await (await post(`${url}/predict`, "{}")).text();
  await (await fetch(`${url}/nothing`)).text();
  const deleted = await fetch(`${url}/tasks/1`, { method: "DELETE" });
  await deleted.text();
  const line = (method: string, path: string, status: number) => ({
    level: 30,
    method,
    path,
    status,
    bytes: Number,
    micros: Number,
    remote: "127.0.0.1",
    requestId: UUID,
    msg: "request",
  });
  t.match(lines, [
    { ...line("POST", "/predict", 200), bytes: length, requestId: "mine" },
    { ...line("GET", "/health/live", 200), bytes: '{"live":true}'.length },
    line("POST", "/predict", 400),
    line("GET", "/nothing", 404),
    line("DELETE", "/tasks/1", 404),
  ]);
  t.equal(lines.length, 5);
  t.equal(lines[1]?.requestId, made.headers.get("x-request-id"), "an id that was made is told");
  for (const { micros } of lines) t.ok(Number.isSafeInteger(micros) && Number(micros) >= 0);
  t.notMatch(JSON.stringify(lines), /secret|7654321234567/);

  await driver.setParameters({ ...driver.getParameters(), accessLog: false });
  const silent = await fetch(`${url}/health/live`);
  await silent.text();
  t.equal(silent.headers.get("x-request-id"), null);
  t.equal(lines.length, 5);
});

t.test("a binary answer's bytes are those of its body", async (t) => {
  const { url, lines } = await logged(t, await gruPipeline(), { accessLog: true });
  const { header, tensor } = binaryRequest("input", [gruInput(1)], { parameters: { binary_data_output: true } });
  const headers = { "Inference-Header-Content-Length": String(header.length) };
  for (let round = 0; round < 3; round += 1) {
    const answer = await post(`${url}/v2/models/gru/infer`, Buffer.concat([header, tensor]), headers);
    const { byteLength } = await answer.arrayBuffer();
    t.match(lines.at(-1), { path: "/v2/models/gru/infer", status: 200, bytes: byteLength });
  }
  t.equal(lines.length, 3);
});

t.test("a client that goes before its answer has a line as well", async (t) => {
  const gate = new Gate();
  const { url, port, lines } = await logged(t, gate.pipeline(), { accessLog: true });
  const body = '{"inputs":{"x":1}}';
  const gone = await RawConnection.open(t, port);
  await gone.write(postHead("/predict", { "Content-Length": body.length }) + body);
  await gate.arrived(1);
  gone.socket.destroy();
  const mine = () => lines.filter(({ path }) => path === "/predict");
  while (mine().length === 0) await (await fetch(`${url}/health/live`)).text();
  gate.release();
  await (await fetch(`${url}/health/live`)).text();
  t.match(mine(), [{ status: 499, bytes: 0, aborted: true }]);
  t.equal(mine().length, 1);
});

t.test("a refused upgrade has a line, a stream has none", async (t) => {
  const { url, lines } = await logged(t, await gruPipeline(), { accessLog: true });
  t.match(await refusedUpgrade(`${url}/v2/models/other/stream`), { status: 404 });
  const peer = await Peer.open(t, `${url}/v2/models/gru/stream?raw=input`);
  peer.send(bytesOf(gruInput(1)));
  await peer.next();
  await peer.close();
  t.match(lines, [{ method: "GET", path: "/v2/models/other/stream", status: 404 }]);
  t.equal(lines.length, 1);
});

t.test("accessLog is true or false", async (t) => {
  const { driver } = await logged(t, myPipeline());
  const parameters = { ...driver.getParameters(), accessLog: 1 as unknown as boolean };
  await t.rejects(driver.setParameters(parameters), { code: "INVALID_ARGUMENT", path: "accessLog" });
});
