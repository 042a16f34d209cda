/** The client's side of tasks, against a real server; and what it tries again, against one that misbehaves. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { Gate } from "../support/gate.js";
import { scrape, taskCounts } from "../support/metrics.js";
import { serve } from "../support/serve.js";
import { deadUrl } from "./fake-server.js";

async function tasks(t: Test, parameters = {}) {
  const gate = new Gate();
  const served = await serve(t, gate.pipeline(), parameters);
  const stats = () => taskCounts(served.url);
  const until = async (name: string, value: number): Promise<void> => {
    while ((await stats())[name] !== value) await new Promise((resolve) => setImmediate(resolve));
  };
  return { gate, ...served, stats, until };
}

t.test("a task's outputs, waited for by one request", async (t) => {
  const { gate, driver, url, until } = await tasks(t);
  const client = new HeadraceClient({ process: driver });
  const taskId = await client.predictTask({ x: 21 }, { stateId: "s" });
  t.match(taskId, /^[0-9a-f-]{36}$/);
  await gate.arrived(1);
  const result = client.taskResult(taskId);
  await until("waiting", 1);
  const requests = async () => (await scrape(url)).value("headrace_driver_http_requests_total");
  const before = await requests();
  gate.release();
  t.same(await result, { y: 42, steps: 1 });
  t.equal(await requests(), before, "it did not ask again");
  t.same(await client.taskResult(taskId), { y: 42, steps: 1 }, "it can be asked for again");
  await client.deleteTask(taskId);
  await t.rejects(client.taskResult(taskId), { code: "NOT_FOUND", message: /there is no task/ });
  await t.rejects(client.deleteTask(taskId), { code: "NOT_FOUND" });
});

t.test("a failed task throws its error with code and path", async (t) => {
  const { gate, client } = await tasks(t);
  const failing = await client.predictTask({ x: 1 });
  await gate.arrived(1);
  gate.fail("broken");
  await t.rejects(client.taskResult(failing), { code: "CELL_FAILED", message: /broken/ });
  const late = await client.predictTask({ x: 1 }, { timeoutMs: 1000 });
  await t.rejects(client.taskResult(late), { code: "DEADLINE_EXCEEDED" });
  const noStream = client.predictTask({ x: 1 }, { start: true });
  await t.rejects(noStream, { code: "INVALID_ARGUMENT", path: "start", message: /^start: [^:]*$/ });
  await t.rejects(client.predictTask({ x: "1" }), { code: "INVALID_ARGUMENT", path: "inputs.x" });
});

t.test("giving up leaves the task as it is; deleting it tells who waits", async (t) => {
  const { gate, client, until } = await tasks(t);
  const taskId = await client.predictTask({ x: 2 });
  await gate.arrived(1);
  await t.rejects(client.taskResult(taskId, { timeoutMs: 20 }), { code: "DEADLINE_EXCEEDED", message: taskId });
  const controller = new AbortController();
  const abandoned = client.taskResult(taskId, { signal: controller.signal, timeoutMs: Number.POSITIVE_INFINITY });
  await until("waiting", 1);
  controller.abort();
  await t.rejects(abandoned, { code: "CANCELLED" });
  await until("waiting", 0);
  const told = t.rejects(client.taskResult(taskId), { code: "CANCELLED" });
  await until("waiting", 1);
  await client.deleteTask(taskId);
  await told;
  gate.release();
});

t.test("a full server refuses a task, and that is not tried again", async (t) => {
  const { client, stats } = await tasks(t, { maxTasks: 1 });
  await client.predictTask({ x: 1 });
  await t.rejects(client.predictTask({ x: 2 }), { code: "RESOURCE_EXHAUSTED" });
  t.match(await stats(), { refused: 1 });
});

t.test("the result of a server that has stopped is not to be had", async (t) => {
  const { gate, client, driver } = await tasks(t);
  const taskId = await client.predictTask({ x: 1 });
  await gate.arrived(1);
  gate.release();
  await client.taskResult(taskId);
  await driver.stop();
  await t.rejects(client.taskResult(taskId), { code: "UNAVAILABLE" });
});

/** Answers each request as `answer` says, and counts them by method. */
async function misbehaving(
  t: Test,
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url?.split("?")[0]}`);
    request.resume();
    request.once("end", () => answer(request, response, requests.length));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, requests, client: new HeadraceClient({ url, model: "m" }) };
}

const DONE = JSON.stringify({ taskId: "1", status: "done", outputs: { y: 1 } });

t.test("a GET is tried again: after a lost connection, and after an answer that says later", async (t) => {
  for (const status of [0, 429, 502, 503, 504]) {
    const { client, requests } = await misbehaving(t, (_, response, count) => {
      if (count === 3) response.end(DONE);
      else if (status === 0) response.destroy();
      else response.writeHead(status).end();
    });
    t.same(await client.taskResult("1"), { y: 1 }, String(status));
    t.equal(requests.length, 3);
  }
});

t.test("twice by default, or as often as `retries` says", async (t) => {
  for (const retries of [undefined, 0, 1, 3]) {
    const { url, requests } = await misbehaving(t, (_, response) => response.writeHead(503).end());
    const client = new HeadraceClient({ url, ...(retries === undefined ? {} : { retries }) });
    await t.rejects(client.taskResult("1"), { code: "UNAVAILABLE", message: /answered 503/ });
    t.equal(requests.length, 1 + (retries ?? 2));
  }
  for (const retries of [-1, 1.5, Number.NaN]) {
    t.throws(() => new HeadraceClient({ url: "http://x", retries }), { code: "INVALID_ARGUMENT", path: "retries" });
  }
});

t.test("a GET that is wrong is not tried again", async (t) => {
  for (const status of [400, 404, 500]) {
    const { client, requests } = await misbehaving(t, (_, response) => response.writeHead(status).end());
    await t.rejects(client.taskResult("1"));
    t.equal(requests.length, 1, String(status));
  }
});

t.test("what may have reached the server is never sent again, but by a GET", async (t) => {
  const calls = [
    (client: HeadraceClient) => client.predict({ x: 1 }, { stateId: "s" }),
    (client: HeadraceClient) => client.predict({ x: 1 }),
    (client: HeadraceClient) => client.predictTask({ x: 1 }),
    (client: HeadraceClient) => client.infer({ x: { datatype: "UINT8", shape: [1], data: Uint8Array.of(1) } }),
    (client: HeadraceClient) => client.deleteTask("1"),
  ];
  for (const status of [0, 429, 503]) {
    for (const call of calls) {
      const { client, requests } = await misbehaving(t, (_, response) => {
        if (status === 0) response.destroy();
        else response.writeHead(status, { "Retry-After": "0" }).end();
      });
      await t.rejects(
        async () => {
          await call(client);
        },
        { code: status === 429 ? "RESOURCE_EXHAUSTED" : "UNAVAILABLE" },
      );
      t.equal(requests.length, 1, `${requests[0]} ${status}`);
    }
  }
});

t.test("what was never sent is tried again, whatever it is", async (t) => {
  const url = await deadUrl();
  let attempts = 0;
  const client = new HeadraceClient({
    url,
    retries: 1,
    fetch: (target, init) => {
      attempts += 1;
      return fetch(target, init);
    },
  });
  await t.rejects(client.predict({ x: 1 }, { stateId: "s" }), { code: "UNAVAILABLE", message: /ECONNREFUSED/ });
  t.equal(attempts, 2);
  // A fetch that does not say why, as a browser's: it may have been sent.
  attempts = 0;
  const browser = new HeadraceClient({
    url,
    fetch: async () => {
      attempts += 1;
      throw new TypeError("Failed to fetch");
    },
  });
  await t.rejects(browser.predict({ x: 1 }), { code: "UNAVAILABLE" });
  t.equal(attempts, 1);
});

t.test("Retry-After is kept to: a wait beyond the time limit is not begun", async (t) => {
  for (const later of ["3600", new Date(Date.now() + 3_600_000).toUTCString()]) {
    const busy = await misbehaving(t, (_, response) => response.writeHead(503, { "Retry-After": later }).end());
    await t.rejects(busy.client.taskResult("1"), { code: "UNAVAILABLE" });
    t.equal(busy.requests.length, 1);
  }
  const odd = await misbehaving(t, (_, response, count) => {
    if (count === 1) response.writeHead(503, { "Retry-After": "soon" }).end();
    else response.end(DONE);
  });
  t.same(await odd.client.taskResult("1"), { y: 1 }, "what is neither seconds nor a date counts as none");
});

t.test("the time limit is for all attempts together, and a signal ends the wait between them", async (t) => {
  const controller = new AbortController();
  const { client, requests } = await misbehaving(t, (_, response) => {
    response.writeHead(503, { "Retry-After": "5" }).end(() => controller.abort());
  });
  await t.rejects(client.taskResult("1", { signal: controller.signal }), { code: "CANCELLED" });
  t.equal(requests.length, 1);
  const slow = await misbehaving(t, (_, response, count) => {
    if (count === 1) response.destroy();
  });
  const { url } = slow;
  await t.rejects(new HeadraceClient({ url }).taskResult("1", { timeoutMs: 1000 }), { code: "DEADLINE_EXCEEDED" });
  t.equal(slow.requests.length, 2, "the second attempt hung until the limit");
});
