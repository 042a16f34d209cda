/**
 * Lifecycle torture: inferences and drivers come and go, and are changed, in several threads and by several actors in each, all
 * at once and under load; threads and processes end in the middle. Nothing hangs, nothing fails that should not, and what
 * was taken from the operating system is given back.
 */
import { fileURLToPath } from "node:url";
import { start } from "../../bench/lib/processes.mjs";
import { trustCheck } from "./lib/check.mjs";
import { within } from "./lib/server.mjs";

const FORMS = {
  short: { operations: 500, threads: 2, actors: 3, doomed: 4, warmUp: 60, exits: 6, limitSeconds: 600 },
  long: { operations: 10_000, threads: 3, actors: 4, doomed: 100, warmUp: 400, exits: 100, limitSeconds: 7200 },
};
const ABOUT =
  "Starts, changes and stops inferences and drivers in several threads at once, 500 operations or 10000; terminates threads\n" +
  "and ends processes whose requests are under way. Looks for what hangs, fails or is left behind.";
/** Growth that is none: what the allocator keeps for threads that come and go, and the heap of JavaScript, sway by that much. */
const FLAT_MIB = 64;
const PROMPT_MILLIS = 2000;
/** From its start, which takes about one. */
const EXIT_SECONDS = 120;
const RUN = fileURLToPath(new URL("lib/lifecycle-run.mjs", import.meta.url));
const DOOMED = fileURLToPath(new URL("lib/lifecycle-doomed.mjs", import.meta.url));
const QUIET = { environment: { HEADRACE_LOG: "silent" } };

/** The status of a program; where it does not end in time, it is killed and that is told instead. */
function endOf(program, seconds) {
  return within(seconds * 1000, program.ended, "its end").catch(({ message }) => {
    program.kill("SIGKILL");
    return message;
  });
}

/** The torture, in a process of its own. @returns its report; undefined: it ended without one */
async function torture(options, holds) {
  const program = await start([process.execPath, "--expose-gc", RUN, JSON.stringify(options)], QUIET);
  const status = await endOf(program, options.limitSeconds);
  const { stdout, stderr } = program.output();
  holds("the process under torture", "ends by itself, with 0", status, status === 0);
  if (status !== 0) process.stderr.write(stderr);
  return stdout === "" ? undefined : JSON.parse(stdout.trimEnd().split("\n").at(-1));
}

/** Processes that exit while their requests are under way. @returns what was wrong, and the milliseconds of each exit */
async function exits(count, progress) {
  const problems = [];
  const millis = [];
  for (let i = 0; i < count; i++) {
    progress(`exit ${i} of ${count}`);
    const wanted = i % 2 === 0 ? 0 : 40 + i;
    const execution = i % 4 < 2 ? "inline" : "lanes";
    const program = await start([process.execPath, DOOMED, String(wanted), execution], QUIET);
    const status = await endOf(program, EXIT_SECONDS);
    const { stdout, stderr } = program.output();
    if (status !== wanted || stderr !== "") problems.push(`${execution}: ${status} instead of ${wanted}. ${stderr}`);
    else millis.push(Date.now() - Number(stdout));
  }
  return { problems, millis };
}

await trustCheck({
  name: "lifecycle",
  about: ABOUT,
  work: async ({ isLong, seed, figure, holds, progress }) => {
    const form = isLong ? "long" : "short";
    const options = FORMS[form];
    progress(`${options.operations} operations`);
    const report = await torture({ seed, ...options }, holds);
    if (report !== undefined) {
      const { done, problems, before, after, firstMib, lastMib } = report;
      for (const [what, count] of Object.entries(done)) figure(what, count);
      const hung = problems.filter((problem) => problem.includes("hung"));
      holds("operations that hung", "none", hung.join("; ") || "none", hung.length === 0);
      holds("unexpected errors", "none", problems.join("; ") || "none", problems.length === 0);
      for (const kind of Object.keys(before)) {
        holds(`${kind} that are open`, `at most ${before[kind]}, as before`, after[kind], after[kind] <= before[kind]);
      }
      const growth = lastMib - firstMib;
      const measured = `${growth.toFixed(1)} MiB, from ${firstMib.toFixed(1)} MiB`;
      holds("growth of memory", `at most ${FLAT_MIB} MiB`, measured, growth <= FLAT_MIB);
    }
    const { problems, millis } = await exits(options.exits, progress);
    const goal = "its own status, no signal, no word";
    holds("exits in the middle", goal, problems[0] ?? `${options.exits} of ${options.exits}`, problems.length === 0);
    const slowest = Math.max(...millis);
    holds("the slowest exit", `at most ${PROMPT_MILLIS} ms`, `${Math.round(slowest)} ms`, slowest <= PROMPT_MILLIS);
  },
});
