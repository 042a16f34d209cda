/** Clients that never read, that send a byte now and then, or that go away within a request: they cost little, and nobody else. */
import { headraceServer } from "../../bench/lib/headrace.mjs";
import { GRU_MODEL } from "../../bench/lib/paths.mjs";
import { withServer } from "../../bench/lib/server.mjs";
import { bystanders } from "./lib/bystanders.mjs";
import { trustCheck } from "./lib/check.mjs";
import { randomOf } from "./lib/random.mjs";
import { MAY_BE_REALTIME, openFiles, peakMib, pinClient, SERVER_CORE, until } from "./lib/server.mjs";
import { ANSWER_BYTES, requests, SENDERS_SECONDS, senders, slowLoris } from "./lib/slow-ones.mjs";

const ABOUT = `Beside streams of others: WebSockets that never read, connections that send a byte now and then, and clients that
go away within their request. What they cost the others is compared with clients that do the same and behave, and with nobody, where
the server's threads go first on the only core that it has (--realtime), and what measures on the client's; neither where the system
does not allow that. The short
form has fewer of each, and the others are watched for seconds.`;

const SHORT = { readers: 16, lorises: 200, disconnects: 1000, quietSeconds: 2, secondsBetweenBytes: 2 };
const LONG = { readers: 200, lorises: 1000, disconnects: 10_000, quietSeconds: 20, secondsBetweenBytes: 10 };

/** A head has to come within 10 s (docs/http.md), and the server looks every second. */
const GIVEN_UP_SECONDS = 12.5;
const MIB = 1 << 20;
/** maxBackpressureBytes, the answer that was one too many, what waits of the client's, and what a buffer grows by. */
const READER_MIB = 2 * ((1 * MIB + ANSWER_BYTES + 512 * 1024) / MIB);
/** A connection costs some kilobytes (maxConnections in docs/http.md). */
const CONNECTION_MIB = 16 / 1024;
/** What V8 has uncollected at one time and not at another. */
const HEAP_MIB = 64;
const GOAL_RATIO = 2;
const ATTEMPTS = 3;
const HANDLES_MILLIS = 10_000;
/** For a client that does not read its close frame, and a tick. */
const CLOSED_MILLIS = 4000;

/**
 * How others fare beside clients that behave, and beside those that do not. Where it was ill it is done anew: what a server does to
 * others it does every time, and a machine that has something else to do for a moment does not.
 * @template T
 * @param {{ server: { port: number }, seconds: number, good: () => Promise<T>, bad: () => Promise<T>, undo?: (outcome: T) => void }} what
 */
async function compare({ server, seconds, good, bad, undo }) {
  for (let attempt = 1; ; attempt++) {
    const [usual, ended] = await Promise.all([bystanders(server, seconds), good()]);
    undo?.(ended);
    const [others, outcome] = await Promise.all([bystanders(server, seconds), bad()]);
    const isWell = others.errors === 0 && others.p99Micros < GOAL_RATIO * usual.p99Micros;
    if (isWell || attempt === ATTEMPTS) return { usual, others, outcome, isWell };
    undo?.(outcome);
  }
}

/**
 * What clients that behave cost is not the server's fault, and is not forgotten either: a quiet run is held to the same.
 * @param {import("./lib/check.mjs").Check} check
 */
function holdsOthers({ holds }, what, quiet, { usual, others, isWell }) {
  const { p99Micros, errors, problem } = others;
  const [were, are] = [usual.p99Micros, p99Micros].map((micros) => (micros / 1000).toFixed(2));
  const times = (p99Micros / usual.p99Micros).toFixed(1);
  const measured = `${are} ms of ${were} ms, ${times} times${errors > 0 ? `, ${errors} errors: ${problem}` : ""}`;
  const goal = `less than ${GOAL_RATIO} times`;
  holds(`p99 of other streams beside ${what}`, goal, measured, isWell);
  const ofQuiet = p99Micros / quiet.p99Micros;
  const [beside] = what.split(", of ");
  holds(
    `p99 of other streams beside ${beside}, of a quiet run`,
    goal,
    `${ofQuiet.toFixed(1)} times`,
    ofQuiet < GOAL_RATIO,
  );
}

function destroyAll(sockets) {
  for (const socket of sockets) socket.destroy();
}

/** The same work for clients that behave: what is made once is there then, and what V8 keeps of it. */
async function baselineOf({ port, pid }, counts, random) {
  const files = openFiles(pid);
  await requests(port, 100, random, false);
  destroyAll(await senders(port, counts.readers, true));
  await until(() => openFiles(pid) <= files, HANDLES_MILLIS);
  return { files, mib: peakMib(pid) };
}

async function work(check) {
  pinClient();
  const counts = check.isLong ? LONG : SHORT;
  const random = randomOf(check.seed);
  const headrace = headraceServer(GRU_MODEL, { options: MAY_BE_REALTIME ? ["--realtime"] : [] });
  check.figure("realtime", String(MAY_BE_REALTIME));
  await withServer(headrace, SERVER_CORE, async (server) => {
    const { pid } = server;
    check.progress("clients that read");
    const baseline = await baselineOf(server, counts, random);
    check.progress("a quiet run");
    const quiet = await bystanders(server, counts.quietSeconds);
    check.figure("quiet_p99_ms", quiet.p99Micros / 1000);
    await attack(check, server, counts, { files: baseline.files, random, quiet });
    const files = await until(() => openFiles(pid) <= baseline.files, HANDLES_MILLIS);
    const now = `${openFiles(pid)} of ${baseline.files}`;
    check.holds("open handles afterwards", "as many as before", now, files !== undefined);
    const bound = counts.readers * READER_MIB + counts.lorises * CONNECTION_MIB + HEAP_MIB;
    const growth = peakMib(pid) - baseline.mib;
    check.figure("peak_mib", peakMib(pid));
    const goal = `<= ${bound.toFixed(0)} MiB more than with clients that read, by the documented limits`;
    check.holds("the server's memory at its peak", goal, `${growth.toFixed(0)} MiB`, growth <= bound);
  });
}

async function attack(check, server, counts, { files, random, quiet }) {
  const { port, pid } = server;
  const seconds = counts.quietSeconds;
  check.progress(`${counts.lorises} slow clients`);
  const none = async () => undefined;
  let lorises;
  const slow = async () => {
    lorises ??= await slowLoris(port, counts.lorises, counts.secondsBetweenBytes);
  };
  holdsOthers(
    check,
    `${counts.lorises} slow clients, of none`,
    quiet,
    await compare({ server, seconds, good: none, bad: slow }),
  );
  check.progress(`${counts.readers} that do not read`);
  const readers = await compare({
    server,
    seconds: counts.readers * SENDERS_SECONDS,
    good: () => senders(port, counts.readers, true),
    bad: () => senders(port, counts.readers, false),
    undo: destroyAll,
  });
  holdsOthers(check, `${counts.readers} that do not read, of ${counts.readers} that do`, quiet, readers);
  // Those that are raw are not listened to any more; a close frame is waited for before the others are gone.
  const left = files + counts.lorises + counts.readers / 2;
  const closed = await until(() => openFiles(pid) <= left, CLOSED_MILLIS);
  const stay = openFiles(pid) - files;
  check.holds("who does not read messages", "closed", `${stay} connections stay`, closed !== undefined);
  check.progress(`${counts.disconnects} disconnects`);
  const gone = await compare({
    server,
    seconds,
    good: () => requests(port, counts.disconnects, random, true),
    bad: () => requests(port, counts.disconnects, random, false),
  });
  holdsOthers(check, `${counts.disconnects} that go away, of as many that stay`, quiet, gone);
  check.progress("the slow clients are given up");
  const { told, last } = await lorises.end();
  const measured = `${told} of ${counts.lorises}, the last after ${last.toFixed(1)} s`;
  const isMet = told === counts.lorises && last <= GIVEN_UP_SECONDS;
  check.holds("slow clients", `408 within ${GIVEN_UP_SECONDS} s`, measured, isMet);
  destroyAll(readers.outcome);
}

await trustCheck({ name: "slow-clients", about: ABOUT, work });
