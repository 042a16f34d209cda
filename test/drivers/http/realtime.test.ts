/** Threads that go before all else on their cores, where the system allows it. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import t from "tap";
import { HttpDriver } from "../../../src/drivers/http/index.js";
import { CLI, GRU, ROOT } from "../../support/paths.js";
import { gruPipeline, start } from "../../support/serve.js";

/** SCHED_OTHER and SCHED_RR in /proc/PID/stat (proc(5)). */
const ORDINARY = 0;
const ROUND_ROBIN = 2;
/** The fields after the name, which stands in parentheses; the policy is the 41st of all. */
const POLICY = 41 - 3;
const SYS_NICE = 23n;

/** The file of a thread; nothing where it has ended meanwhile. */
function statOf(id: string): string {
  try {
    return readFileSync(`/proc/self/task/${id}/stat`, "utf8");
  } catch {
    return "";
  }
}

/** The scheduling policies of the I/O threads of this process, those of servers that are just ending included. */
function policies(): number[] {
  return readdirSync("/proc/self/task")
    .map(statOf)
    .filter((stat) => stat.includes("(headrace-io"))
    .map((stat) => Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[POLICY]));
}

const [, capabilities = "0"] = /^CapEff:\s+(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
const [, limit = "0"] = /^Max realtime priority\s+(\w+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
const hasCapability = ((BigInt(`0x${capabilities}`) >> SYS_NICE) & 1n) === 1n;
const isAllowed = hasCapability || limit !== "0";
const REFUSED = /realtime: the system does not let this process have real-time threads; .*CAP_SYS_NICE/;

t.test("nobody gets them unasked", async (t) => {
  const inference = await start(t, await gruPipeline());
  await inference.addDriver("http", HttpDriver, { port: 0 });
  t.same(policies(), [ORDINARY]);
});

t.test("where the system allows it, the threads of the port are real-time ones", { skip: !isAllowed }, async (t) => {
  const inference = await start(t, await gruPipeline());
  const driver = await inference.addDriver("http", HttpDriver, { port: 0, threads: 2, realtime: true });
  t.equal(policies().filter((policy) => policy === ROUND_ROBIN).length, 2);
  const { address, port } = driver.getService("http").taggedAddresses.lan;
  t.equal((await fetch(`http://${address}:${port}/v2/health/ready`)).status, 200);
});

t.test("where the system does not allow it, the driver says so", { skip: isAllowed }, async (t) => {
  const inference = await start(t, await gruPipeline());
  await t.rejects(inference.addDriver("http", HttpDriver, { port: 0, realtime: true }), {
    code: "INVALID_ARGUMENT",
    message: REFUSED,
  });
});

t.test("a server without the right does not start, and says what it lacks", async (t) => {
  const command = [process.execPath, CLI, "serve", GRU, "--port", "0", "--realtime"];
  const dropped = hasCapability ? ["setpriv", "--bounding-set=-sys_nice"] : [];
  const [program = "", ...args] = [...dropped, "prlimit", "--rtprio=0", ...command];
  const outcome = await promisify(execFile)(program, args, { cwd: ROOT }).catch((error: unknown) => error);
  t.match(outcome, { code: 2, stderr: REFUSED });
});

t.test("it is yes or no", async (t) => {
  const inference = await start(t, await gruPipeline());
  const given = { port: 0, realtime: "yes" } as never;
  await t.rejects(inference.addDriver("http", HttpDriver, given), { code: "INVALID_ARGUMENT", path: "realtime" });
});
