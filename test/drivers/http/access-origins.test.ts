/** Pages of other origins: what browsers are told, and what such pages may not do. */
import t from "tap";
import type { HttpParameters } from "../../../src/drivers/http/index.js";
import { myPipeline } from "../../support/cells.js";
import { gruPipeline, serve } from "../../support/serve.js";
import { Peer, refusedUpgrade } from "../../support/sockets.js";

const APP = "https://app.example.com";
const EVIL = "https://evil.example.com";
const TOKEN = "token-0123456789abcdef";

const header = (response: Response, name: string) => response.headers.get(name);

function preflight(url: string, origin: string, method = "POST", headers = "authorization,content-type") {
  return fetch(url, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": method,
      "access-control-request-headers": headers,
    },
  });
}

t.test("closed by default: nothing is allowed, nothing is said", async (t) => {
  const { url } = await serve(t, myPipeline());
  const asked = await preflight(`${url}/predict`, APP);
  t.equal(asked.status, 405);
  const response = await fetch(`${url}/v2`, { headers: { origin: APP } });
  t.equal(response.status, 200);
  t.equal(header(response, "access-control-allow-origin"), null);
  t.equal(header(response, "vary"), null);
});

t.test("an origin of the list may ask, and read every answer, errors too", async (t) => {
  const tokens = [{ name: "page", token: TOKEN }];
  const { url } = await serve(t, await gruPipeline(), {
    tokens,
    cors: { origins: [`${APP}/`, "http://localhost:5173"], maxAgeSeconds: 60 },
  });
  const asked = await preflight(`${url}/v2/models/gru/infer`, APP);
  t.equal(asked.status, 204, "a browser sends no token with its question");
  t.equal(header(asked, "access-control-allow-origin"), APP);
  t.equal(header(asked, "access-control-allow-methods"), "POST");
  t.equal(header(asked, "access-control-allow-headers"), "authorization,content-type");
  t.equal(header(asked, "access-control-max-age"), "60");
  t.equal(header(asked, "vary"), "Origin");
  t.equal(header(asked, "access-control-allow-credentials"), null);
  t.equal(header(await preflight(`${url}/tasks/x`, APP, "DELETE"), "access-control-allow-methods"), "GET, DELETE");
  t.equal(
    header(await preflight(`${url}/predict`, APP, "POST", "bad header\u00e4"), "access-control-allow-headers"),
    null,
  );

  const input = { name: "input", datatype: "FP32", shape: [1, 512], data: new Array(512).fill(0) };
  for (const [path, init, status] of [
    ["/v2/models/gru/infer", { method: "POST", body: JSON.stringify({ inputs: [input] }) }, 200],
    ["/v2/models/gru/infer", { method: "POST", body: "{" }, 400],
    ["/openapi.json", {}, 200],
    ["/no/such/path", {}, 404],
    ["/tasks/none", {}, 404],
    ["/predict", {}, 405],
  ] as const) {
    const response = await fetch(url + path, { ...init, headers: { origin: APP, authorization: `Bearer ${TOKEN}` } });
    t.equal(response.status, status, path);
    t.equal(header(response, "access-control-allow-origin"), APP, path);
    t.match(header(response, "access-control-expose-headers"), /Inference-Header-Content-Length/);
    t.match(header(response, "vary"), /\bOrigin\b/, path);
  }
  const nobody = await fetch(`${url}/v2`, { headers: { origin: "http://localhost:5173" } });
  t.equal(nobody.status, 401);
  t.equal(
    header(nobody, "access-control-allow-origin"),
    "http://localhost:5173",
    "a page can read that it needs a token",
  );
});

t.test("other origins may not, and caches are told that answers differ", async (t) => {
  const { url } = await serve(t, myPipeline(), { cors: { origins: [APP] } });
  for (const origin of [EVIL, "null", "http://app.example.com", `${APP}:8443`, `${APP}.evil.com`]) {
    const asked = await preflight(`${url}/predict`, origin);
    t.equal(asked.status, 403, origin);
    t.equal(header(asked, "access-control-allow-origin"), null);
    const response = await fetch(`${url}/v2`, { headers: { origin } });
    t.equal(header(response, "access-control-allow-origin"), null);
    t.equal(header(response, "vary"), "Origin");
  }
  t.equal(header(await fetch(`${url}/v2`), "vary"), "Origin", "nor may one without an origin be kept for all");
});

t.test("all origins, without credentials", async (t) => {
  const { url } = await serve(t, myPipeline(), { cors: { origins: ["*"] } });
  const asked = await preflight(`${url}/predict`, EVIL);
  t.equal(asked.status, 204);
  t.equal(header(asked, "access-control-allow-origin"), "*");
  t.equal(header(asked, "access-control-max-age"), "600");
  t.equal(header(asked, "access-control-allow-credentials"), null);
});

t.test("WebSockets of other origins are refused, unless allowedOrigins has them", async (t) => {
  const closed = await serve(t, await gruPipeline());
  const path = "/v2/models/gru/stream";
  const { status, body } = await refusedUpgrade(closed.url + path, { origin: EVIL });
  t.equal(status, 403);
  t.match(body, /allowedOrigins/);
  t.equal((await refusedUpgrade(closed.url + path, { origin: "null" })).status, 403);
  for (const origin of [undefined, closed.url, closed.url.replace("http:", "https:")]) {
    await (await Peer.open(t, closed.url + path, origin === undefined ? {} : { origin })).close();
  }
  const allowed = await serve(t, await gruPipeline(), { allowedOrigins: [APP], cors: { origins: [EVIL] } });
  await (await Peer.open(t, allowed.url + path, { origin: APP })).close();
  t.equal((await refusedUpgrade(allowed.url + path, { origin: EVIL })).status, 403, "CORS is something else");
  const open = await serve(t, await gruPipeline(), { allowedOrigins: ["*"] });
  await (await Peer.open(t, open.url + path, { origin: EVIL })).close();
});

t.test("lists of origins are checked", async (t) => {
  const refused = (parameters: unknown, path: string) =>
    t.rejects(serve(t, myPipeline(), parameters as Partial<HttpParameters>), { code: "INVALID_ARGUMENT", path });
  await refused({ allowedOrigins: "*" }, "allowedOrigins");
  await refused({ allowedOrigins: [APP, "app.example.com"] }, "allowedOrigins[1]");
  await refused({ cors: { origins: [`${APP}/path`] } }, "cors.origins[0]");
  await refused({ cors: { origins: ["null"] } }, "cors.origins[0]");
  await refused({ cors: {} }, "cors.origins");
  await refused({ cors: { origins: [], maxAgeSeconds: -1 } }, "cors.maxAgeSeconds");
  await refused({ cors: { origins: [], credentials: true } }, "cors.credentials");
});
