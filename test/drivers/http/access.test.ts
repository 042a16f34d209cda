/** Tokens and roles over HTTP and WebSocket: every route has a role, and lets in who has it. */
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import t from "tap";
import { WebSocket } from "ws";
import { HeadraceClient } from "../../../src/client/index.js";
import { HttpDriver, type HttpParameters, openHttpPort } from "../../../src/drivers/http/index.js";
import { ROUTE_ROLES, roleOf } from "../../../src/drivers/http/route-roles.js";
import { Router } from "../../../src/drivers/http/router.js";
import { init } from "../../../src/runtime/index.js";
import { sha256Hex } from "../../../src/serving/access-options.js";
import { myPipeline } from "../../support/cells.js";
import { scrape } from "../../support/metrics.js";
import { ROOT } from "../../support/paths.js";
import { gruPipeline, serve, start } from "../../support/serve.js";
import { Peer, refusedUpgrade } from "../../support/sockets.js";

const TOKENS = {
  predict: "predict-0123456789abcdef",
  read: "read-0123456789abcdef",
  admin: "admin-0123456789abcdef",
} as const;
const tokens = Object.entries(TOKENS).map(([role, token]) => ({ name: `the ${role}er`, token, roles: [role] }));
const PROTECTED = { tokens } as unknown as Partial<HttpParameters>;

const bearer = (role: keyof typeof TOKENS) => ({ authorization: `Bearer ${TOKENS[role]}` });

interface Route {
  readonly method: string;
  readonly pattern: string;
}

/** What is registered while `work` runs. */
async function registered(work: () => Promise<unknown>): Promise<Route[]> {
  const { route, stream } = Router.prototype;
  const found: Route[] = [];
  Router.prototype.route = function (this: Router, pattern, encode, methods) {
    for (const method of Object.keys(methods)) found.push({ method, pattern });
    route.call(this, pattern, encode, methods);
  };
  Router.prototype.stream = function (this: Router, pattern, handler) {
    found.push({ method: "WS", pattern });
    stream.call(this, pattern, handler);
  };
  try {
    await work();
    return found;
  } finally {
    Object.assign(Router.prototype, { route, stream });
  }
}

async function statusOf(url: string, method: string, headers: Record<string, string>): Promise<number> {
  if (method !== "WS") return (await fetch(url, { method, headers })).status;
  const socket = new WebSocket(url.replace(/^http/, "ws"), { headers });
  socket.on("error", () => {});
  const opened = once(socket, "open").then(() => 101);
  const refused = once(socket, "unexpected-response").then(
    ([, response]) => (response as { statusCode: number }).statusCode,
  );
  const status = await Promise.race([opened, refused]);
  socket.terminate();
  return status;
}

t.test("every route has a role, and lets in who has it", async (t) => {
  let url = "";
  const routes = (
    await registered(async () => {
      ({ url } = await serve(t, await gruPipeline(), PROTECTED));
    })
  ).filter(({ method }) => method !== "ANY");
  t.ok(routes.length > 20, `${routes.length} routes`);
  const roles = new Set<string>();
  for (const { method, pattern } of routes) {
    const role = roleOf(method, pattern);
    roles.add(`${method} ${pattern.replace("/versions/:version", "")}`);
    const path = pattern.replace(":model", "gru").replace(":version", "1").replace(":id", "x");
    const status = (headers: Record<string, string>) => statusOf(url + path, method, headers);
    const isOpen = role === "health";
    const name = `${method} ${pattern} is for ${role}`;
    const [nobody, wrong] = await Promise.all([
      status({}),
      status({ authorization: "Bearer no-such-token-0123456789" }),
    ]);
    t.equal(nobody === 401, !isOpen, `${name}: without a token`);
    t.equal(wrong === 401, !isOpen, `${name}: with a wrong token`);
    for (const own of ["predict", "read", "admin"] as const) {
      const may = isOpen || own === role || own === "admin";
      t.equal([401, 403].includes(await status(bearer(own))), !may, `${name}: as ${own}`);
    }
  }
  t.same([...roles].sort(), Object.keys(ROUTE_ROLES).sort(), "and every role has its route");
  t.throws(() => roleOf("GET", "/new"), { code: "INTERNAL", message: /GET \/new has no role/ });
});

t.test("docs/security.md has the table of routes and roles", async (t) => {
  const page = await readFile(join(ROOT, "docs/security.md"), "utf8");
  const rows = [...page.matchAll(/^\| `([A-Z]+ [^`]+)` \| (\w+) \|/gm)].map(([, route = "", role]) => [route, role]);
  const wanted = Object.entries(ROUTE_ROLES).map(([route, role]) => [route.replace(/:(\w+)/g, "{$1}"), role]);
  t.same(rows, wanted);
});

t.test("refusals have the shape of their surface", async (t) => {
  const { url } = await serve(t, myPipeline(), PROTECTED);
  const rest = await fetch(`${url}/predict`, { method: "POST", body: "{}" });
  t.equal(rest.status, 401);
  t.equal(rest.headers.get("www-authenticate"), 'Bearer realm="headrace"');
  t.match(await rest.json(), { error: { code: "UNAUTHENTICATED", message: /Authorization: Bearer/ } });
  const v2 = await fetch(`${url}/v2/models/MyPipeline/infer`, { method: "POST", body: "{}", headers: bearer("read") });
  t.equal(v2.status, 403);
  t.equal(v2.headers.get("www-authenticate"), null);
  t.match(await v2.json(), { error: /'the reader' may not: this needs the role predict/ });
  const { value } = await scrape(url, bearer("read"));
  t.equal(value("headrace_listener_refused_total", { reason: "unauthenticated" }), 1);
  t.equal(value("headrace_listener_refused_total", { reason: "permission_denied" }), 1);
});

t.test("health can need a token too", async (t) => {
  const { url } = await serve(t, myPipeline(), { ...PROTECTED, healthIsPublic: false });
  t.equal((await fetch(`${url}/health/live`)).status, 401);
  t.equal((await fetch(`${url}/v2/health/ready`, { headers: bearer("predict") })).status, 403);
  t.equal((await fetch(`${url}/v2/health/ready`, { headers: bearer("read") })).status, 200);
  // A client that waits for a server does not wait for a token to become good.
  await t.rejects(new HeadraceClient({ url }).wait(), { code: "UNAUTHENTICATED" });
  await t.rejects(new HeadraceClient({ url, token: TOKENS.predict }).wait(), { code: "PERMISSION_DENIED" });
  await new HeadraceClient({ url, token: TOKENS.read }).wait();
});

t.test("browsers give the token of a WebSocket as a subprotocol, which does not come back", async (t) => {
  const { url } = await serve(t, await gruPipeline(), PROTECTED);
  const stream = `${url.replace(/^http/, "ws")}/v2/models/gru/stream`;
  const protocolOf = (token: string) => `headrace.bearer.${Buffer.from(token).toString("base64url")}`;
  const socket = new WebSocket(stream, [protocolOf(TOKENS.predict), "headrace.v2"]);
  t.teardown(() => socket.terminate());
  const [[response]] = await Promise.all([once(socket, "upgrade"), once(socket, "open")]);
  t.equal(socket.protocol, "headrace.v2");
  t.notMatch((response as IncomingMessage).rawHeaders.join(), "headrace.bearer");
  const status = async (protocols: string[]) => {
    const refused = new WebSocket(stream, protocols);
    refused.on("error", () => {});
    const [, answer] = (await once(refused, "unexpected-response")) as [unknown, { statusCode: number }];
    return answer.statusCode;
  };
  t.equal(await status([protocolOf(TOKENS.read), "headrace.v2"]), 403);
  t.equal(await status([protocolOf("no-such-token-0123456789"), "headrace.v2"]), 401);
  t.equal(await status([protocolOf(TOKENS.predict)]), 400, "nothing could be answered but the token");
  t.match(await refusedUpgrade(stream), { status: 401, body: /UNAUTHENTICATED|who asks/ });
});

t.test("a stream ends when its token is no longer good; others go on", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "headrace-tokens-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const tokensFile = join(folder, "tokens.json");
  const old = { name: "old", tokenSha256: sha256Hex(TOKENS.admin) };
  const kept = { name: "kept", tokenSha256: sha256Hex(TOKENS.predict) };
  await writeFile(tokensFile, JSON.stringify([old, kept]));
  const { url } = await serve(t, await gruPipeline(), { tokensFile });
  const open = (role: keyof typeof TOKENS) =>
    Peer.open(t, `${url}/v2/models/gru/stream?raw=input`, { headers: bearer(role) });
  const [going, staying] = [await open("admin"), await open("predict")];
  await writeFile(tokensFile, JSON.stringify([kept]));
  t.match(await going.closed, { code: 1008, reason: /^UNAUTHENTICATED: / });
  staying.send(new Uint8Array(2048));
  t.equal((await staying.nextFloats()).length, 8);
  t.equal((await fetch(`${url}/v2`, { headers: bearer("admin") })).status, 401);
  t.equal((await fetch(`${url}/v2`, { headers: bearer("predict") })).status, 200);
});

t.test("parameters show hashes, and can be set again", async (t) => {
  const { driver, url } = await serve(t, myPipeline(), PROTECTED);
  const parameters = driver.getParameters();
  for (const text of [JSON.stringify(parameters), inspect(parameters, { depth: 9 })]) {
    for (const token of Object.values(TOKENS)) t.notMatch(text, token);
    t.match(text, sha256Hex(TOKENS.read));
  }
  await driver.setParameters({ ...parameters, taskTtlSeconds: 5 });
  t.equal(driver.getParameters().taskTtlSeconds, 5);
  t.equal((await fetch(`${url}/v2`, { headers: bearer("read") })).status, 200);
  await t.rejects(driver.setParameters({ ...parameters, tokens: [] }), { code: "INVALID_ARGUMENT", path: "tokens" });
});

t.test("drivers on one port share who may use it", async (t) => {
  const first = await serve(t, myPipeline(), PROTECTED);
  const second = await start(t, await gruPipeline());
  const { port } = first;
  await t.rejects(second.addDriver("other", HttpDriver, { port }), { code: "PORT_IN_USE" }, "another runtime");
  const add = (parameters: Partial<HttpParameters>) =>
    first.process.addDriver("again", HttpDriver, { port, ...parameters });
  const other = { tokens: [{ name: "x", token: "another-0123456789" }] };
  const error = await add({ ...other, replace: true }).catch((problem: unknown) => problem);
  t.match(error, { code: "INVALID_ARGUMENT", path: "tokens", message: /drivers that share a port/ });
  t.notMatch(inspect(error), /another-0123456789|predict-0123/);
  await add({ ...PROTECTED, replace: true });
  t.equal((await fetch(`${first.url}/v2`)).status, 401, "and a driver that says nothing opens nothing");
});

t.test("listening where others reach it needs tokens, or that it is meant", async (t) => {
  const runtime = await init();
  t.teardown(() => runtime.stop());
  await t.rejects(openHttpPort(runtime, { port: 0, host: "0.0.0.0" }), {
    code: "INVALID_ARGUMENT",
    path: "host",
    message: /tokens.*tls\.caFile.*insecure: true/,
  });
  await t.rejects(serve(t, myPipeline(), { host: "::" }), { code: "INVALID_ARGUMENT", path: "host" });
  for (const parameters of [{ insecure: true }, PROTECTED]) {
    const port = await openHttpPort(runtime, { port: 0, host: "0.0.0.0", ...parameters });
    t.ok(port.port > 0);
    port.close();
  }
});

t.test("the client's token option", async (t) => {
  const { url } = await serve(t, await gruPipeline(), PROTECTED);
  const { HeadraceClient } = await import("../../../src/client/index.js");
  const client = new HeadraceClient({ url, model: "gru", token: TOKENS.predict });
  await client.wait();
  const stream = client.stream("anna", { raw: "input" });
  await stream.send(new Float32Array(512));
  t.equal((await stream.next()).value?.byteLength, 32);
  await stream.close();
  const stranger = new HeadraceClient({ url, model: "gru" });
  await t.rejects(stranger.predict({ input: [] }), { code: "UNAUTHENTICATED" });
  await t.rejects(stranger.stream("anna").opened(), { code: "UNAUTHENTICATED" });
  await t.rejects(new HeadraceClient({ url, token: TOKENS.read }).predict({}), { code: "PERMISSION_DENIED" });
});
