/** `fetch` with authorities of one's own, where the server answers what is no answer of HTTP's. */
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import t from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { Authority } from "../support/certificates.js";

t.test("an answer that cannot be made a Response fails its call, and nothing else", async (t) => {
  const authority = new Authority(t);
  const { key, cert } = authority.server();
  const server = createServer({ key, cert }, (_request, response) => response.writeHead(999).end("no"));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new HeadraceClient({ url, tls: { ca: authority.ca }, retries: 0, timeoutMs: 10_000 });
  await t.rejects(client.predict({ x: 1 }), { code: "UNAVAILABLE", message: /status/ });
});
