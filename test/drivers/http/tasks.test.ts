/** Tasks over real sockets: what becomes of them, for how long it is known, and what is left when the driver stops. */
import t, { type Test } from "tap";
import { type FinishedTask, HttpDriver, type HttpParameters, type TaskStore } from "../../../src/drivers/http/index.js";
import { deferred } from "../../support/cells.js";
import { Gate } from "../../support/gate.js";
import { taskCounts } from "../../support/metrics.js";
import { serve, start } from "../../support/serve.js";
import { postHead, RawConnection } from "../../support/sockets.js";

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

async function ask(url: string, method = "GET", body?: unknown): Promise<Answer> {
  const response = await fetch(url, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: text === "" ? {} : JSON.parse(text) };
}

/** A served gate, and the questions that the tests ask. */
async function tasks(t: Test, parameters: Partial<HttpParameters> = {}) {
  const gate = new Gate();
  const served = await serve(t, gate.pipeline(), parameters);
  return { gate, ...served, ...questions(served.url) };
}

function questions(url: string) {
  const stats = () => taskCounts(url);
  return {
    submit: async (body: unknown): Promise<string> => String((await ask(`${url}/tasks`, "POST", body)).json.taskId),
    task: (id: string, query = "") => ask(`${url}/tasks/${id}${query}`),
    stats,
    /** Resolves when a counter has that value. */
    until: async (name: string, value: number): Promise<void> => {
      while ((await stats())[name] !== value) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const WAIT = "?waitMs=60000";

t.test("a task is accepted, pending, done, and deleted", async (t) => {
  const { gate, url, task, stats } = await tasks(t);
  const accepted = await ask(`${url}/tasks`, "POST", { inputs: { x: 21 } });
  t.equal(accepted.status, 202);
  t.same(Object.keys(accepted.json), ["taskId"]);
  const taskId = String(accepted.json.taskId);
  t.match(taskId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal(accepted.headers.get("location"), `/tasks/${taskId}`);

  await gate.arrived(1);
  const pending = await task(taskId);
  t.equal(pending.status, 200);
  t.same(pending.json, { taskId, status: "pending" });
  t.match(await stats(), { pending: 1, kept: 0, submitted: 1 });

  const waiting = task(taskId, WAIT);
  gate.release();
  const done = { taskId, status: "done", outputs: { y: 42, steps: 1 } };
  const answer = await waiting;
  t.same(answer.json, done);
  t.equal(answer.headers.get("cache-control"), "no-store");
  t.same((await task(taskId)).json, done, "it can be asked for again");
  t.match(await stats(), { pending: 0, kept: 1, done: 1 });

  const gone = await fetch(`${url}/tasks/${taskId}`, { method: "DELETE" });
  t.equal(gone.status, 204);
  t.equal(await gone.text(), "");
  for (const method of ["GET", "DELETE"]) {
    const { status, json } = await ask(`${url}/tasks/${taskId}`, method);
    t.equal(status, 404);
    t.match(json, { error: { code: "NOT_FOUND", message: `there is no task '${taskId}'` } });
  }
  t.match(await stats(), { pending: 0, kept: 0, forgotten: 1 });
});

t.test("a failed task has the error in the shape of plain REST", async (t) => {
  const { gate, submit, task, stats } = await tasks(t);
  const taskId = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  gate.fail("no such thing");
  const { status, json } = await task(taskId, WAIT);
  t.equal(status, 200);
  t.match(json, { taskId, status: "failed", error: { code: "CELL_FAILED", message: /no such thing/ } });
  t.notOk("outputs" in json);
  t.match(await stats(), { failed: 1, kept: 1 });
});

t.test("timeoutMs of the body limits the prediction", async (t) => {
  const { submit, task } = await tasks(t);
  const taskId = await submit({ inputs: { x: 1 }, timeoutMs: 5 });
  t.match((await task(taskId, WAIT)).json, { status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
});

t.test("what is wrong at once is refused at once, and is no task", async (t) => {
  const { url, stats } = await tasks(t, { maxBodyBytes: 100 });
  const wrong = [
    [{ inputs: { x: "one" } }, 400, "INVALID_ARGUMENT", "inputs.x"],
    [{ inputs: {} }, 400, "INVALID_ARGUMENT", "inputs.x"],
    [{ inputs: { x: 1 }, wait: true }, 400, "INVALID_ARGUMENT", "wait"],
    [{ inputs: { x: 1 }, priority: 256 }, 400, "INVALID_ARGUMENT", "priority"],
    [{ inputs: { x: 1 }, timeoutMs: 0 }, 400, "INVALID_ARGUMENT", "timeoutMs"],
    [{ inputs: { x: 1 }, start: true }, 400, "INVALID_ARGUMENT", "start"],
    [{ inputs: { x: 1 }, stateId: "a".repeat(100) }, 413, "PAYLOAD_TOO_LARGE", undefined],
  ] as const;
  for (const [body, status, code, path] of wrong) {
    const answer = await ask(`${url}/tasks`, "POST", body);
    t.equal(answer.status, status);
    t.match(answer.json, { error: { code, ...(path === undefined ? {} : { path }) } });
  }
  t.match(await stats(), { submitted: 0, pending: 0, kept: 0 });
});

t.test("waitMs is a number of milliseconds and bounded", async (t) => {
  const { gate, submit, task } = await tasks(t);
  const taskId = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  for (const waitMs of ["-1", "1.5", "", "soon", "60001", "99999999"]) {
    const { status, json } = await task(taskId, `?waitMs=${waitMs}`);
    t.equal(status, 400, waitMs);
    t.match(json, { error: { code: "INVALID_ARGUMENT", path: "waitMs" } });
  }
  for (const waitMs of ["0", "1"]) t.match((await task(taskId, `?waitMs=${waitMs}`)).json, { status: "pending" });
  t.equal((await task("unknown", WAIT)).status, 404, "nobody waits for a task that is not there");
});

t.test("tasks of one stream are its steps, in the order submitted", async (t) => {
  const { gate, submit, task } = await tasks(t);
  const ids = [];
  for (const x of [1, 2, 3]) ids.push(await submit({ inputs: { x }, stateId: "s" }));
  for (const [index, id] of ids.entries()) {
    await gate.arrived(index + 1);
    gate.release();
    t.match((await task(id, WAIT)).json, { outputs: { y: 2 * (index + 1), steps: index + 1 } });
  }
});

t.test("deleting a pending task cancels it: its state is as it was, and who waits is told", async (t) => {
  const { gate, url, submit, task, stats, until, client } = await tasks(t);
  const taskId = await submit({ inputs: { x: 1 }, stateId: "s" });
  await gate.arrived(1);
  const waiting = task(taskId, WAIT);
  await until("waiting", 1);
  t.equal((await ask(`${url}/tasks/${taskId}`, "DELETE")).status, 204);
  t.match((await waiting).json, { taskId, status: "failed", error: { code: "CANCELLED" } });
  t.equal((await task(taskId)).status, 404);
  t.match(await stats(), { pending: 0, kept: 0, cancelled: 1, failed: 0 });
  gate.release();
  const next = client.predict({ x: 1 }, { stateId: "s" });
  await gate.arrived(2);
  gate.release();
  t.same(await next, { y: 2, steps: 1 }, "the cancelled step was none");
});

t.test("no more than maxTasks, pending or kept; what is kept is not dropped for a new one", async (t) => {
  const { gate, url, driver, submit, task, stats } = await tasks(t, { maxTasks: 2 });
  const first = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  gate.release();
  await task(first, WAIT);
  const second = await submit({ inputs: { x: 2 } });
  const refused = await ask(`${url}/tasks`, "POST", { inputs: { x: 3 } });
  t.equal(refused.status, 429);
  t.equal(refused.headers.get("retry-after"), "1");
  t.match(refused.json, { error: { code: "RESOURCE_EXHAUSTED", message: /2 tasks.*maxTasks/ } });
  t.match(await stats(), { pending: 1, kept: 1, refused: 1, expired: 0 });
  t.match((await task(first)).json, { status: "done" });

  await driver.setParameters({ ...driver.getParameters(), maxTasks: 1 });
  t.match((await task(first)).json, { status: "done" }, "a smaller number drops none");
  await driver.setParameters({ ...driver.getParameters(), maxTasks: 2 });
  await ask(`${url}/tasks/${first}`, "DELETE");
  const third = await submit({ inputs: { x: 3 } });
  t.match((await task(third)).json, { status: "pending" });
  t.match((await task(second)).json, { status: "pending" });
});

t.test("a finished task is forgotten after taskTtlSeconds, which may change and then is for all", async (t) => {
  const { gate, driver, submit, task, stats, until } = await tasks(t, { taskTtlSeconds: 600, maxTasks: 1 });
  const set = async (taskTtlSeconds: number) => driver.setParameters({ ...driver.getParameters(), taskTtlSeconds });
  const first = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  gate.release();
  t.match((await task(first, WAIT)).json, { status: "done" });
  await set(0);
  t.match(await stats(), { kept: 0, expired: 1 }, "at once, without a question");
  t.equal((await task(first)).status, 404);

  // Who waits is answered all the same.
  const second = await submit({ inputs: { x: 2 } });
  const waiting = task(second, WAIT);
  await gate.arrived(2);
  await until("waiting", 1);
  gate.release();
  t.match((await waiting).json, { status: "done" });
  t.equal((await task(second)).status, 404);

  // The place of one whose time is over is free, though nobody has looked.
  const third = await submit({ inputs: { x: 3 } });
  await gate.arrived(3);
  gate.release();
  await until("done", 3);
  const fourth = await submit({ inputs: { x: 4 } });
  t.match((await task(fourth)).json, { status: "pending" });
  t.equal((await task(third)).status, 404);
  t.match(await stats(), { pending: 1, kept: 0, expired: 3, refused: 0 });
});

t.test("without anybody asking, it is forgotten too", async (t) => {
  const { gate, submit, task, stats, until } = await tasks(t, { taskTtlSeconds: 0.05 });
  const taskId = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  gate.release();
  await until("expired", 1);
  t.match(await stats(), { kept: 0, done: 1 });
  t.equal((await task(taskId)).status, 404);
});

t.test("parameters out of range are refused", async (t) => {
  const { driver } = await tasks(t);
  const parameters = driver.getParameters();
  for (const wrong of [
    { taskTtlSeconds: -1 },
    { taskTtlSeconds: Number.NaN },
    { taskTtlSeconds: 604_801 },
    { maxTasks: 0 },
    { maxTasks: 1.5 },
  ]) {
    const [path] = Object.keys(wrong);
    await t.rejects(driver.setParameters({ ...parameters, ...wrong }), { code: "INVALID_ARGUMENT", path });
  }
  t.same(driver.getParameters(), parameters);
});

t.test("a driver that stops finishes its tasks and takes no new ones", async (t) => {
  const { gate, driver, port, submit, until } = await tasks(t);
  const taskId = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  const waiting = await RawConnection.open(t, port);
  const idle = await RawConnection.open(t, port);
  await waiting.write(`GET /tasks/${taskId}${WAIT} HTTP/1.1\r\nHost: test\r\n\r\n`);
  await idle.write("GET /v2/health/live HTTP/1.1\r\nHost: test\r\n\r\n");
  await idle.answer();
  await until("waiting", 1);
  let isStopped = false;
  const stopping = driver.stop({ timeoutMs: 60_000 }).then(() => {
    isStopped = true;
  });
  const body = JSON.stringify({ inputs: { x: 1 } });
  await idle.write(postHead("/tasks", { "Content-Length": body.length }) + body);
  const refused = await idle.answer();
  t.equal(refused.status, 503);
  t.match(JSON.parse(refused.body.toString()), { error: { code: "UNAVAILABLE" } });
  t.equal(isStopped, false, "a task is pending");
  gate.release();
  const done = await waiting.answer();
  t.match(JSON.parse(done.body.toString()), { taskId, status: "done", outputs: { y: 2 } });
  await stopping;
  await Promise.all([waiting.closed, idle.closed]);
});

t.test("a client that goes away while it waits leaves nothing behind, and the task goes on", async (t) => {
  const { gate, port, submit, task, until } = await tasks(t);
  const taskId = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  const gone = await RawConnection.open(t, port);
  await gone.write(`GET /tasks/${taskId}${WAIT} HTTP/1.1\r\nHost: test\r\n\r\n`);
  await until("waiting", 1);
  gone.socket.destroy();
  await until("waiting", 0);
  gate.release();
  t.match((await task(taskId, WAIT)).json, { status: "done" });
});

t.test("pending tasks that take longer than the grace time are cancelled, their state as it was", async (t) => {
  const { gate, driver, process, port, submit, until } = await tasks(t);
  const taskId = await submit({ inputs: { x: 1 }, stateId: "s" });
  await gate.arrived(1);
  const waiting = await RawConnection.open(t, port);
  await waiting.write(`GET /tasks/${taskId}${WAIT} HTTP/1.1\r\nHost: test\r\n\r\n`);
  await until("waiting", 1);
  await driver.stop({ timeoutMs: 20 });
  t.equal(driver.status, "stopped");
  await waiting.closed;
  gate.release();
  const next = process.predict({ x: 1 }, { stateId: "s" });
  await gate.arrived(2);
  gate.release();
  t.same(await next, { y: 2, steps: 1 });
});

/** A store of the user's own, that can be made to fail. */
class SlowStore implements TaskStore {
  readonly tasks = new Map<string, FinishedTask>();
  failure: Error | undefined;
  /** Resolved when a `put` has begun. */
  readonly putting = deferred();
  /** What every `put` waits for. */
  mayPut: Promise<void> = Promise.resolve();

  async put(task: FinishedTask): Promise<void> {
    this.putting.resolve();
    await this.mayPut;
    if (this.failure !== undefined) throw this.failure;
    this.tasks.set(task.taskId, task);
  }

  async get(taskId: string): Promise<FinishedTask | undefined> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.tasks.get(taskId);
  }

  async delete(taskId: string): Promise<boolean> {
    return this.tasks.delete(taskId);
  }

  async expire(time: number): Promise<number> {
    const old = [...this.tasks.values()].filter(({ finishedAt }) => finishedAt <= time);
    for (const { taskId } of old) this.tasks.delete(taskId);
    return old.length;
  }
}

/** A gate served by a driver with a store of the test's own. */
async function withStore(t: Test) {
  const store = new SlowStore();
  class OwnStore extends HttpDriver {
    protected override makeTaskStore(): TaskStore {
      return store;
    }
  }
  const gate = new Gate();
  const process = await start(t, gate.pipeline());
  const driver = await process.addDriver("web", OwnStore, { port: 0 });
  const url = `http://127.0.0.1:${driver.getService("http").taggedAddresses.lan.port}`;
  return { store, gate, driver, url, ...questions(url) };
}

t.test("a driver that stops finishes what nobody waits for, too", async (t) => {
  const { store, gate, driver, submit } = await withStore(t);
  const taskId = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  const stopping = driver.stop({ timeoutMs: 60_000 });
  await new Promise((resolve) => setImmediate(resolve));
  gate.release();
  await stopping;
  t.match(store.tasks.get(taskId), { status: "done", body: /"y":2/ });
});

t.test("a task that is deleted while its outcome is being stored is gone", async (t) => {
  const { store, gate, url, submit, task, stats, driver } = await withStore(t);
  const mayPut = deferred();
  store.mayPut = mayPut.promise;
  const taskId = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  gate.release();
  await store.putting.promise;
  t.match((await task(taskId)).json, { status: "pending" });
  t.equal((await ask(`${url}/tasks/${taskId}`, "DELETE")).status, 204);
  mayPut.resolve();
  await driver.setParameters({ ...driver.getParameters() });
  t.equal((await task(taskId)).status, 404);
  t.equal(store.tasks.size, 0);
  t.match(await stats(), { pending: 0, kept: 0, cancelled: 1, done: 0 });
});

t.test("a subclass brings its own store; what that loses is counted", async (t) => {
  const { store, gate, driver, url, submit, task, stats, until } = await withStore(t);
  const first = await submit({ inputs: { x: 1 } });
  await gate.arrived(1);
  gate.release();
  t.match((await task(first, WAIT)).json, { status: "done" });
  t.match([...store.tasks.values()], [{ taskId: first, status: "done", finishedAt: Number, body: String }]);
  t.equal((await ask(`${url}/tasks/${first}`, "DELETE")).status, 204);
  t.equal(store.tasks.size, 0);

  store.failure = new Error("disk full");
  const second = await submit({ inputs: { x: 2 } });
  await gate.arrived(2);
  gate.release();
  await until("lost", 1);
  t.equal((await task(second)).status, 404);
  t.match(await stats(), { pending: 0, kept: 0, lost: 1, done: 1 });
  await driver.stop();
});
