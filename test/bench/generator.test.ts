/** The native generator against servers that misbehave: nothing is hidden, and time counts from the schedule. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import {
  type GeneratorListener,
  type GeneratorOutcome,
  type GeneratorRun,
  generate,
} from "../../src/bench/generator.js";
import { DEFAULTS, type LoadPlan } from "../../src/bench/options.js";
import { encodeRequests } from "../../src/bench/requests.js";

const MODEL = { name: "m", inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }] } as const;
const ANSWER = JSON.stringify({ outputs: [{ name: "y", datatype: "FP32", shape: [1], data: [1] }] });
const SECONDS = 0.6;
/** What comes at all comes before that, whatever else the machine does. */
const PATIENT_SECONDS = 60;
/** For answers that do not come. */
const IMPATIENT_SECONDS = 0.3;

async function load(
  t: Tap,
  answer: RequestListener,
  plan: LoadPlan,
  slots: number,
  way: Way = {},
): Promise<GeneratorOutcome> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close().closeAllConnections());
  return run((server.address() as AddressInfo).port, plan, slots, way);
}

type Tap = Pick<typeof t, "teardown">;

const FOLDER = await mkdtemp(join(tmpdir(), "headrace-generator-"));
t.teardown(() => rm(FOLDER, { recursive: true }));

interface Way {
  readonly protocol?: GeneratorRun["protocol"];
  /** Of the input of a request. */
  readonly elements?: number;
  readonly address?: string;
  readonly scheme?: "http" | "https";
  readonly connections?: number;
  readonly listener?: GeneratorListener;
  readonly seconds?: number;
  readonly lastAnswers?: number;
}

async function run(
  port: number,
  plan: LoadPlan,
  slots: number,
  {
    protocol = "http-json",
    elements = 1,
    address = "127.0.0.1",
    scheme = "http",
    connections = slots,
    listener = {},
    seconds = SECONDS,
    lastAnswers = PATIENT_SECONDS,
  }: Way = {},
): Promise<GeneratorOutcome> {
  const host = `named.test:${port}`;
  const requests = join(FOLDER, "requests");
  const step = { x: { datatype: "FP32", shape: [1, elements], data: new Float32Array(elements).fill(1) } } as const;
  const options = { model: MODEL, host, headers: {}, stateful: false, endsSequences: false };
  await writeFile(requests, encodeRequests([step], { protocol, ...options }));
  const run = {
    protocol,
    endpoint: { address, port, host, scheme },
    path: "",
    requests,
    slots,
    connections,
    load: plan,
    timing: { warmup: 0, atLeast: seconds, atMost: seconds, window: seconds / 3, lastAnswers },
    sequenceLength: undefined,
    headers: {},
    seed: DEFAULTS.seed,
    serverPid: undefined,
    core: undefined,
  } as const;
  return generate(run, listener);
}

const good: RequestListener = (request, response) => {
  request.resume().on("end", () => response.end(ANSWER));
};

t.test("measuring begins when whoever asked for it is ready, and the load goes on until then", async (t) => {
  let served = 0;
  let servedBefore = 0;
  let another = (): void => {};
  const server = createServer((request, response) => {
    served += 1;
    another();
    good(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const outcome = await run(port, { mode: "closed", concurrency: 2 }, 2, {
    listener: {
      async warm() {
        const enough = served + 100;
        await new Promise<void>((resolve) => {
          another = () => {
            if (served >= enough) resolve();
          };
        });
        servedBefore = served;
      },
    },
  });
  t.ok(servedBefore >= 100);
  t.ok(outcome.requests > 0);
  t.ok(outcome.requests <= served - servedBefore + 2, "none but those that were under way is of the time before");
});

t.test("a closed loop keeps as many in flight as asked, and no more", async (t) => {
  let inFlight = 0;
  let most = 0;
  const outcome = await load(
    t,
    (request, response) => {
      most = Math.max(most, ++inFlight);
      request.resume().on("end", () =>
        setImmediate(() => {
          inFlight -= 1;
          response.end(ANSWER);
        }),
      );
    },
    { mode: "closed", concurrency: 5 },
    5,
  );
  t.equal(most, 5);
  t.equal(outcome.errors, 0);
  t.equal(outcome.unfinished, 0);
  t.equal(outcome.latency_us.count, outcome.requests);
  t.equal(
    outcome.latency_us.buckets.reduce((sum, [, count]) => sum + count, 0),
    outcome.requests,
  );
  t.equal(outcome.windows.length, 3);
});

t.test("an open loop counts from the schedule: a slow server cannot hide what waited for it", async (t) => {
  // One request at a time of 20 ms: 50 a second can be answered, 200 are due.
  const plan = { mode: "open", ratePerSecond: 200, arrival: "constant" } as const;
  const outcome = await load(
    t,
    (request, response) => {
      request.resume();
      setTimeout(() => response.end(ANSWER), 20);
    },
    plan,
    1,
    { lastAnswers: IMPATIENT_SECONDS },
  );
  t.ok(Math.abs((outcome.offered_rate ?? 0) - 200) < 10, `offered ${outcome.offered_rate}`);
  t.ok(outcome.latency_us.max > 5 * outcome.service_us.p50, "latency grows with the queue, service does not");
  t.ok(outcome.unfinished > 0, "what was due and never sent is unfinished");
  t.equal(outcome.errors, 0);
});

t.test("streams each keep their cadence", async (t) => {
  const outcome = await load(t, good, { mode: "streams", streams: 8, framesPerSecond: 25 }, 8);
  t.ok(Math.abs((outcome.offered_rate ?? 0) - 200) < 20, `offered ${outcome.offered_rate}`);
  t.equal(outcome.errors, 0);
});

t.test("errors count, also those of answers that look good from outside", async (t) => {
  let count = 0;
  const outcome = await load(
    t,
    (request, response) => {
      count += 1;
      response.statusCode = count % 3 === 0 ? 503 : 200;
      request.resume().on("end", () => response.end(count % 5 === 0 ? "{}" : ANSWER));
    },
    { mode: "closed", concurrency: 1 },
    1,
  );
  t.ok(outcome.errors > 0);
  t.match(outcome.first_error, /HTTP\/1.1 503/);
  t.ok(Math.abs(outcome.errors - ((outcome.requests + outcome.errors) * 7) / 15) <= 2, "every third, and every fifth");
});

t.test("a server that hangs up is an error of every request that it took with it", async (t) => {
  const server = createTcpServer((socket) => socket.once("data", () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  const outcome = await run((server.address() as AddressInfo).port, { mode: "closed", concurrency: 3 }, 3);
  t.equal(outcome.errors, 3);
  t.equal(outcome.requests, 0);
});

t.test("a request that is never answered is unfinished", async (t) => {
  const plan = { mode: "closed", concurrency: 2 } as const;
  const outcome = await load(t, (request) => request.resume(), plan, 2, { lastAnswers: IMPATIENT_SECONDS });
  t.equal(outcome.unfinished, 2);
  t.equal(outcome.requests, 0);
});

t.test("nobody there: its words say so", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await t.rejects(run(port, { mode: "closed", concurrency: 1 }, 1), { code: "UNAVAILABLE", message: /refused/ });
});

const CLOSED = { mode: "closed", concurrency: 6 } as const;
const GRPC = { ":status": 200, "content-type": "application/grpc" };
/** A message of gRPC: a flag, a length, and as many bytes. */
const MESSAGE = Buffer.from([0, 0, 0, 0, 1, 0]);

async function grpcServer(
  t: Tap,
  serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<number> {
  const server: Http2Server = createHttp2Server();
  server.on("stream", (stream, headers) =>
    serve(
      stream.on("error", () => {}),
      headers,
    ),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

function answer(stream: ServerHttp2Stream): void {
  if (stream.destroyed) return; // the generator has ended meanwhile
  stream.respond(GRPC, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(MESSAGE);
}

t.test("over gRPC a request may be larger than the window that a connection begins with", async (t) => {
  const elements = 200_000;
  const wrong: number[] = [];
  const port = await grpcServer(t, (stream) => {
    const pieces: Buffer[] = [];
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      const bytes = Buffer.concat(pieces);
      if (bytes.readUInt32BE(1) !== bytes.length - 5 || bytes.length < 4 * elements) wrong.push(bytes.length);
      answer(stream);
    });
  });
  // Three calls at a time on each of two connections, which wait for each other's bytes.
  const outcome = await run(port, CLOSED, 6, { protocol: "grpc", elements, connections: 2, seconds: 2 });
  t.same(wrong, []);
  t.ok(outcome.requests > 6, `${outcome.requests} requests`);
  t.equal(outcome.errors, 0, outcome.first_error);
  t.equal(outcome.unfinished, 0);
});

t.test("over gRPC a server may refuse a request before it has all of it", async (t) => {
  let calls = 0;
  const port = await grpcServer(t, (stream) => {
    calls += 1;
    stream.respond({ ...GRPC, "grpc-status": "8" }, { endStream: true });
    stream.close();
  });
  const outcome = await run(port, CLOSED, 6, { protocol: "grpc", elements: 200_000, connections: 2 });
  t.equal(outcome.requests, 0);
  t.ok(outcome.errors > 6, `${outcome.errors} errors of ${calls} calls`);
});

t.test("a call of gRPC says whether it comes over TLS, and what its server is called", async (t) => {
  for (const scheme of ["http", "https"] as const) {
    const said = new Set<string>();
    const port = await grpcServer(t, (stream, headers) => {
      said.add(`${headers[":scheme"]}://${headers[":authority"]}`);
      stream.respond({ ...GRPC, "grpc-status": "8" }, { endStream: true });
    });
    await run(port, CLOSED, 1, { protocol: "grpc", connections: 1, scheme });
    t.same([...said], [`${scheme}://named.test:${port}`]);
  }
});

const hasIpv6 = Object.values(networkInterfaces()).some((own) => own?.some(({ address }) => address === "::1"));

t.test("IPv6, and a server that goes by its name", { skip: !hasIpv6 && "no IPv6 here" }, async (t) => {
  const hosts = new Set<string | undefined>();
  const server = createServer((request, response) => {
    hosts.add(request.headers.host);
    good(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "::1", resolve));
  t.teardown(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const outcome = await run(port, { mode: "closed", concurrency: 1 }, 1, { address: "::1" });
  t.equal(outcome.errors, 0, outcome.first_error);
  t.ok(outcome.requests > 0);
  t.same([...hosts], [`named.test:${port}`]);
});
