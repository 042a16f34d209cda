/** Why nobody can listen somewhere, in words and codes. */
import { once } from "node:events";
import { createServer } from "node:net";
import t from "tap";
import { listenError, TransportServer } from "../../src/transport/index.js";

/** Of a host that is not known to anybody (RFC 6761). */
const NOBODY = "no-such-host.invalid";

t.test("a host that is not known is no port that is in use", async (t) => {
  const server = createServer().listen({ host: NOBODY, port: 0 });
  const [cause] = await once(server, "error");
  const unknown = { code: "INVALID_ARGUMENT", path: "host", message: /no address is known of 'no-such-host\.invalid'/ };
  t.match(listenError(NOBODY, 0, cause), unknown, "in Node's words");
  const native = new TransportServer(
    { threads: 1, maxConnections: 1, maxIncomingBytes: 1 << 30, maxUnreadBytes: 1 << 30 },
    { request: () => {} },
  );
  t.teardown(() => native.close());
  t.throws(() => native.listen(NOBODY, 0), unknown, "in those of the native server");
  t.throws(() => native.listen("203.0.113.1", 0), { code: "PORT_IN_USE" });
});
