/** Sockets, requests and messages, with a client that counts bytes. */
import t, { type Test } from "tap";
import {
  type HttpRequest,
  type HttpResponse,
  type MessageHandler,
  TransportServer,
  type WebSocket,
} from "../../src/transport/index.js";
import { Peer, RawConnection } from "../support/sockets.js";

type Handler = (request: HttpRequest, response: HttpResponse) => void;

async function open(t: Test, handler: Handler, threads = 1): Promise<{ server: TransportServer; port: number }> {
  const server = new TransportServer({ threads, maxConnections: 100 }, { request: handler });
  const port = server.listen("127.0.0.1", 0);
  t.teardown(() => server.close());
  return { server, port };
}

const OK = "200 OK\r\nContent-Type: text/plain\r\n";
const LIMITS = { maxMessageBytes: 1024, idleTimeoutSeconds: 0, maxUnsentBytes: 1 << 20 };

t.test("answers come in the order of their requests, however late each is given", async (t) => {
  const held: (() => void)[] = [];
  const asked: string[] = [];
  const { port } = await open(t, (request, response) => {
    asked.push(request.path);
    held.push(() => response.respond(OK, request.path, false));
  });
  const connection = await RawConnection.open(t, port);
  await connection.write("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  for (const path of ["/a", "/b"]) {
    while (held.length === 0) await new Promise(setImmediate);
    t.equal(asked.at(-1), path, "the next one is heard when this one is answered");
    held.pop()?.();
    const { status, body, headers } = await connection.answer();
    t.same([status, String(body)], [200, path]);
    t.match(headers.date, /GMT$/);
  }
});

t.test("a body is handed over in pieces, and HEAD has the head of a GET alone", async (t) => {
  const { port } = await open(t, (request, response) => {
    let bytes = 0;
    if (request.method === "HEAD") return response.respond(OK, "four", false);
    response.onData((piece, isLast) => {
      bytes += piece.byteLength;
      if (isLast) response.respond(OK, String(bytes), false);
    });
  });
  const connection = await RawConnection.open(t, port);
  await connection.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
  for (let i = 0; i < 3; i++) await connection.write(Buffer.alloc(100_000));
  t.equal(String((await connection.answer()).body), "300000");
  await connection.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  t.equal(String((await connection.answer()).body), "5");
  await connection.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  t.equal(String((await connection.answer()).body), "0");
  let text = "";
  connection.socket.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  await connection.write("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await connection.closed;
  t.match(text, /Content-Length: 4\r\n(.*\r\n)*\r\n$/);
});

t.test("an answer in pieces", async (t) => {
  const { port } = await open(t, (_request, response) => {
    response.begin("200 OK\r\nContent-Type: text/event-stream\r\n", false);
    response.write("data: 1\n\n", () => {
      response.write("data: 2\n\n");
      response.finish();
    });
  });
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  t.equal(answer.headers.get("content-length"), null);
  t.equal(await answer.text(), "data: 1\n\ndata: 2\n\n");
});

t.test("who goes before the answer is told of, once", async (t) => {
  let gone = 0;
  let isGone = (): void => {};
  const wasGone = new Promise<void>((resolve) => {
    isGone = resolve;
  });
  let response: HttpResponse | undefined;
  const { server, port } = await open(t, (_request, given) => {
    response = given;
    given.onAborted(() => {
      gone += 1;
      isGone();
    });
  });
  const connection = await RawConnection.open(t, port);
  await connection.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (response === undefined) await new Promise(setImmediate);
  connection.socket.resetAndDestroy();
  await wasGone;
  response.respond(OK, "too late", false);
  await server.close();
  t.equal(gone, 1);
});

t.test("a WebSocket: both kinds of messages, and how it ended", async (t) => {
  let ended: (end: unknown) => void = () => {};
  const end = new Promise((resolve) => {
    ended = resolve;
  });
  const { server, port } = await open(t, (request, response) => {
    let socket: WebSocket;
    const handler: MessageHandler = {
      opened: (given) => {
        socket = given;
        socket.send("welcome", false);
      },
      message: (bytes, isBinary) => socket.send(isBinary ? bytes : Buffer.from(bytes).toString(), isBinary),
      closed: (code, reason) => ended({ code, reason, path: request.path }),
    };
    if (response.canUpgrade) server.accept(response, "X-Own: 1\r\n", LIMITS, handler);
    else response.respond("426 Upgrade Required\r\n", "", false);
  });
  t.equal((await fetch(`http://127.0.0.1:${port}/ws`)).status, 426);
  const peer = await Peer.open(t, `http://127.0.0.1:${port}/ws`);
  t.equal(await peer.next(), "welcome");
  peer.send("Grüße");
  t.equal(await peer.next(), "Grüße");
  peer.send(Uint8Array.of(1, 2, 3));
  t.same(await peer.next(), Buffer.of(1, 2, 3));
  peer.socket.close(4001, "enough");
  t.same(await end, { code: 4001, reason: "enough", path: "/ws" });
});

t.test("a message beyond its limit ends with 1009, and an abort with nothing", async (t) => {
  let socket: WebSocket | undefined;
  const { server, port } = await open(t, (_request, response) => {
    server.accept(response, "", LIMITS, {
      opened: (given) => {
        socket = given;
      },
      message: () => {},
      closed: () => {},
    });
  });
  const large = await Peer.open(t, `http://127.0.0.1:${port}/`);
  large.send(new Uint8Array(1025));
  t.match(await large.closed, { code: 1009, reason: /more than 1024 bytes/ });
  const other = await Peer.open(t, `http://127.0.0.1:${port}/`);
  socket?.abort();
  t.match(await other.closed, { code: 1006 });
});

t.test("several threads, one port: all connections are served, and closing ends them all", async (t) => {
  const { server, port } = await open(t, (request, response) => response.respond(OK, request.path, false), 3);
  const connections = await Promise.all(Array.from({ length: 30 }, () => RawConnection.open(t, port)));
  for (const [index, connection] of connections.entries()) {
    await connection.write(`GET /${index} HTTP/1.1\r\nHost: x\r\n\r\n`);
    t.equal(String((await connection.answer()).body), `/${index}`);
  }
  t.equal(server.connections, 30);
  await server.close();
  await Promise.all(connections.map(({ closed }) => closed));
  t.equal(server.connections, 0);
});

t.test("a port that somebody listens on", async (t) => {
  const { port } = await open(t, () => {}, 2);
  const other = new TransportServer({ threads: 2, maxConnections: 1 }, { request: () => {} });
  t.throws(() => other.listen("127.0.0.1", port), { code: "PORT_IN_USE", message: new RegExp(`127.0.0.1:${port}`) });
  t.throws(() => other.listen("not an address", 0), { code: "PORT_IN_USE" });
  await other.close();
});
