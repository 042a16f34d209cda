/** SIGTERM under load: what was accepted is answered, the rest is told so, and nothing is lost. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { headraceServer } from "../../bench/lib/headrace.mjs";
import { GRU_MODEL, REPOSITORY } from "../../bench/lib/paths.mjs";
import { withServer } from "../../bench/lib/server.mjs";
import { trustCheck } from "./lib/check.mjs";
import { post, postBinary } from "./lib/http-wire.mjs";
import { pinClient, SERVER_CORE, until, within } from "./lib/server.mjs";
import { StopLoad } from "./lib/stop-load.mjs";
import { frame, OPCODE } from "./lib/ws-wire.mjs";

const ABOUT = `A server gets SIGTERM when half of the requests are answered: over connections that are kept, over one for each request
and over WebSockets, of a model that is fast and of one that is slow. Each request is accounted for.`;

const SHORT = { requests: 2000, times: 3 };
const LONG = { requests: 10_000, times: 10 };
const GRACE_SECONDS = 10;
const PATIENCE_MILLIS = 60_000;
/** What closing models and ending a process of Node take besides. */
const END_SECONDS = 2;

const KEPT = 24;
const SINGLE = 8;
const WEB_SOCKETS = 8;
const FRAMES_IN_FLIGHT = 8;
const TRIPS = 400;

const tripsRequest = JSON.stringify({ inputs: [{ name: "trips", datatype: "INT64", shape: [1], data: [TRIPS] }] });
const row = new Float32Array(512).fill(0.01);

/** Threads of sockets answer the fast one, and JavaScript the frames of the slow one, of which many wait. */
const SUBJECTS = [
  {
    name: "fast",
    model: GRU_MODEL,
    request: postBinary({ path: "/v2/models/gru512/infer", input: "input", values: row }),
    path: "/v2/models/gru512/stream?raw=input",
    frame: frame(OPCODE.binary, Buffer.from(row.buffer)),
  },
  {
    name: "slow",
    model: join(REPOSITORY, "test", "trust", "models", "slow.mjs"),
    request: post("/v2/models/slow/infer", tripsRequest),
    path: "/v2/models/slow/stream",
    frame: frame(OPCODE.text, tripsRequest),
  },
];

/** @returns {Promise<{ load: StopLoad, seconds: number | undefined }>} the seconds from SIGTERM to the end of the process */
async function stopUnderLoad(subject, total) {
  const server = headraceServer(subject.model, { options: ["--grace", String(GRACE_SECONDS)] });
  return withServer(server, SERVER_CORE, async ({ port, pid }) => {
    const load = new StopLoad(port, total);
    const { request, path, frame: bytes } = subject;
    const all = [
      ...Array.from({ length: KEPT }, () => load.http(request, true)),
      ...Array.from({ length: SINGLE }, () => load.http(request, false)),
      ...Array.from({ length: WEB_SOCKETS }, () => load.webSocket(path, bytes, FRAMES_IN_FLIGHT)),
    ];
    await within(PATIENCE_MILLIS, load.half, "half of the answers");
    process.kill(pid, "SIGTERM");
    const ended = until(() => !existsSync(`/proc/${pid}`), 1000 * (GRACE_SECONDS + END_SECONDS));
    await within(PATIENCE_MILLIS, Promise.all(all), "the rest of the answers");
    const millis = await ended;
    return { load, seconds: millis === undefined ? undefined : millis / 1000 };
  });
}

/** @param {import("./lib/check.mjs").Check} check */
function judge({ figure, holds }, name, total, runs) {
  const sum = (kind) => runs.reduce((all, { load }) => all + load.account[kind], 0);
  const counted = runs.reduce((all, { load }) => all + load.counted, 0);
  for (const kind of Object.keys(runs[0].load.account)) figure(`${name}_${kind}`, sum(kind));
  const [problem] = runs.flatMap(({ load }) => load.problems);
  const bad = sum("lost") + sum("wrong");
  holds(
    `${name} model: what was sent`,
    "none lost: 200, 503, UNAVAILABLE or 1001, or nobody listens",
    `${bad} of ${counted} lost${problem === undefined ? "" : `, the first: ${problem}`}`,
    bad === 0 && counted === total,
  );
  const codes = [...new Set(runs.flatMap(({ load }) => Object.keys(load.codes)))];
  const closed = codes.join(" and ");
  holds(`${name} model: WebSockets`, "all closed with 1001", closed, codes.length === 1 && codes[0] === "1001");
  const slowest = Math.max(...runs.map(({ seconds }) => seconds ?? Number.POSITIVE_INFINITY));
  const goal = GRACE_SECONDS + END_SECONDS;
  holds(`${name} model: the process ends`, `within ${goal} s`, `${slowest.toFixed(2)} s`, slowest <= goal);
  const isMeant = runs.every(({ load }) => load.account.answered >= load.counted / 2);
  const rest = sum("refused") + sum("unreachable") + sum("unaccepted");
  holds(`${name} model: the load`, "goes on after SIGTERM", `${rest} came too late`, isMeant && rest > 0);
}

async function work(check) {
  pinClient();
  const { requests, times } = check.isLong ? LONG : SHORT;
  for (const subject of SUBJECTS) {
    const runs = [];
    for (let i = 1; i <= times; i++) {
      check.progress(`${subject.name} model, stop ${i} of ${times}`);
      runs.push(await stopUnderLoad(subject, requests / 2));
    }
    judge(check, subject.name, (times * requests) / 2, runs);
  }
}

await trustCheck({ name: "graceful-stop", about: ABOUT, work });
