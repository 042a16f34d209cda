/** `headrace bench` as a whole: real servers, a real model, every protocol, and the result's published schema. */
import t from "tap";
import type { BenchResult } from "../../src/bench/result.js";
import { checkResult } from "../../src/bench/result-file.js";
import { headrace, serveCommand } from "../support/cli.js";
import { GRU, VAD_MODULE } from "../support/paths.js";

// Each case starts a server.
t.setTimeout(240_000);

const SHORT = ["--repetitions", "1", "--warmup", "0.1", "--duration", "0.3", "--max-duration", "0.3"];

type Tap = Parameters<typeof headrace>[0];

async function bench(t: Tap, ...args: string[]): Promise<BenchResult> {
  const { code, stdout, stderr } = await headrace(t, "bench", ...args, ...SHORT, "--json=-");
  t.equal(code, 0, stderr);
  return checkResult(JSON.parse(stdout), "stdout");
}

t.test("a model file: the engine and every protocol, with what the server counted", async (t) => {
  const result = await bench(t, GRU, "--concurrency", "8");
  const protocols = ["engine", "http-binary", "http-json", "ws-raw", "ws-binary", "grpc"];
  t.same(
    result.cases.map(({ protocol }) => protocol),
    protocols,
  );
  t.match(result.target, { kind: "model", model: "gru512", stateful: true, sha256: /^[0-9a-f]{64}$/ });
  for (const { name, repetitions, summary } of result.cases) {
    const [one] = repetitions;
    t.ok((one?.requests ?? 0) > 0, `${name}: ${one?.firstError}`);
    t.equal(summary.errors + summary.unfinished, 0, name);
    t.ok((one?.phases?.run ?? 0) > 0, `${name}: time in the model`);
    const largest = Math.max(...(one?.batchSizes ?? []).map(([rows]) => rows));
    t.ok(largest >= 1 && largest <= 8, `${name}: a batch has no more rows than there are streams, got ${largest}`);
  }
});

t.test("a module, in sequences that end, open loop and streams", async (t) => {
  const loads = ["--rate", "200", "--streams", "10", "--frame-rate", "20"];
  const result = await bench(t, VAD_MODULE, ...loads, "--sequence-length", "2-6", "--protocol", "ws-raw,grpc");
  t.equal(result.target.kind, "module");
  t.equal(result.cases.length, 4);
  for (const { name, mode, repetitions } of result.cases) {
    const [one] = repetitions;
    t.equal(one?.errors, 0, `${name}: ${one?.firstError}`);
    t.ok((one?.offeredPerSecond ?? 0) > 0, name);
    t.ok(mode === "open" || mode === "streams");
  }
});

t.test("a server that runs already, by its URL", async (t) => {
  const server = await serveCommand(t, GRU);
  const result = await bench(t, server.url, "--concurrency", "4", "--header", "x-test: 1");
  t.match(result.target, { kind: "url", model: "gru512", server: { name: "headrace" } });
  t.same(
    result.cases.map(({ protocol }) => protocol),
    ["http-binary", "http-json"],
  );
  t.notOk(
    result.cases.some(({ repetitions }) => repetitions[0]?.server),
    "its CPU time is not known",
  );
  const ws = await bench(t, server.url.replace("http:", "ws:"), "--concurrency", "4");
  t.equal(ws.cases.length, 2);
  t.ok(ws.cases.every(({ summary }) => summary.errors === 0 && summary.ratePerSecond.median > 0));
});
