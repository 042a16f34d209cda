/** A server of the transport: what it makes of clients that come and go. */
import { EventEmitter, once } from "node:events";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import t from "tap";
import { type HttpResponse, TransportServer } from "../../src/transport/index.js";

const HANDSHAKE = [
  "GET / HTTP/1.1",
  "Host: here",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "\r\n",
].join("\r\n");

const LIMITS = { maxMessageBytes: 1000, idleTimeoutSeconds: 0, maxUnsentBytes: 1000 };

t.test("a WebSocket whose client has gone before it was accepted is told of its end", async (t) => {
  const messages = new EventEmitter();
  const server = new TransportServer(
    { threads: 1, maxConnections: 10, maxIncomingBytes: 1 << 30, maxUnreadBytes: 1 << 30 },
    {
      request(_, response: HttpResponse) {
        // The thread has noticed, and nobody here has been told yet.
        while (server.connections > 0) {}
        const closed = (code: number): boolean => messages.emit("closed", code);
        server.accept(response, "", LIMITS, { opened() {}, message() {}, closed });
      },
    },
  );
  t.teardown(() => server.close());
  const client = connect(server.listen("127.0.0.1", 0), "127.0.0.1");
  client.end(HANDSHAKE);
  t.strictSame(await once(messages, "closed"), [1006]);
  client.destroy();
});

t.test("a server that was closed has nothing open, though it has not been collected", async (t) => {
  const open = (): number => readdirSync("/proc/self/fd").length;
  const round = async (): Promise<TransportServer> => {
    const server = new TransportServer(
      { threads: 3, maxConnections: 10, maxIncomingBytes: 1 << 30, maxUnreadBytes: 1 << 30 },
      { request() {} },
    );
    const client = connect(server.listen("127.0.0.1", 0), "127.0.0.1");
    await once(client, "connect");
    const gone = once(client, "close");
    client.end();
    await server.close();
    await gone;
    return server;
  };
  const first = await round();
  const before = open();
  const others = [await round(), await round(), await round()];
  t.equal(open(), before);
  t.equal(
    [first, ...others].reduce((sum, { connections }) => sum + connections, 0),
    0,
  );
});
