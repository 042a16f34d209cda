/** TLS and certificates of clients, with real certificates and real sockets. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect as connectTcp } from "node:net";
import { buffer } from "node:stream/consumers";
import { connect, type SecureVersion, type TLSSocket } from "node:tls";
import { inspect } from "node:util";
import t, { type Test } from "tap";
import { HeadraceClient } from "../../../src/client/index.js";
import { HttpDriver, type HttpParameters } from "../../../src/drivers/http/index.js";
import { TransportServer } from "../../../src/transport/index.js";
import { myPipeline } from "../../support/cells.js";
import { Authority, type Certificate, noOpenssl } from "../../support/certificates.js";
import { gruPipeline, serve, start } from "../../support/serve.js";
import { Peer } from "../../support/sockets.js";

const skip = noOpenssl();
const TOKEN = "token-0123456789abcdef";

const files = ({ keyFile, certFile }: Certificate) => ({ keyFile, certFile });

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One request over a connection of its own. */
async function get(url: string, options: object): Promise<Answer> {
  const asked = request(url, { agent: false, ...options });
  asked.end();
  const [response] = await once(asked, "response");
  return { status: response.statusCode, body: (await buffer(response)).toString() };
}

async function tlsSocket(t: Test, port: number, options: object): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ...options });
  t.teardown(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

/** What comes until the other end closes. */
async function allOf(socket: TLSSocket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

t.test("HTTPS and WSS", { skip }, async (t) => {
  const authority = new Authority(t);
  const { driver, url, port } = await serve(t, await gruPipeline(), { tls: files(authority.server()) });
  t.match(url, /^https:/);
  t.equal(driver.getService("http").meta.scheme, "https");
  const tls = { ca: authority.ca };
  const client = new HeadraceClient({ process: driver, model: "gru", tls });
  await client.wait();
  const input = { datatype: "FP32" as const, shape: [1, 512], data: new Float32Array(512) };
  t.same((await client.infer({ input })).outputs.output?.shape, [1, 8]);
  await t.rejects(client.infer({ input: { ...input, shape: [512] } }), { code: "INVALID_ARGUMENT" });
  const stream = client.stream("anna", { raw: "input" });
  await stream.send(new Float32Array(512));
  t.equal((await stream.next()).value?.byteLength, 32);
  await stream.close();
  await t.rejects(new HeadraceClient({ url, retries: 0 }).predict({}), { code: "UNAVAILABLE", message: /certificate/ });
  await t.rejects(fetch(`http://127.0.0.1:${port}/v2`), "plain HTTP has no answer");
  t.throws(() => new HeadraceClient({ url, tls, fetch }), { code: "INVALID_ARGUMENT", path: "tls" });
});

t.test("TLS before 1.2 is refused, with certificates of clients and without", { skip }, async (t) => {
  const authority = new Authority(t);
  const server = files(authority.server());
  const { ca } = authority;
  for (const tls of [server, { ...server, caFile: authority.caFile, requireClientCert: false }]) {
    const { port } = await serve(t, myPipeline(), { tls });
    const withVersion = (version: SecureVersion) =>
      tlsSocket(t, port, { ca, minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" });
    t.equal((await withVersion("TLSv1.3")).getProtocol(), "TLSv1.3");
    t.equal((await withVersion("TLSv1.2")).getProtocol(), "TLSv1.2");
    await t.rejects(withVersion("TLSv1.1"));
  }
});

t.test("an encrypted key", { skip }, async (t) => {
  const authority = new Authority(t);
  const server = files(authority.server("localhost", "correct horse"));
  const ca = authority.ca;
  for (const more of [{}, { caFile: authority.caFile, requireClientCert: false }]) {
    const tls = { ...server, ...more, passphrase: "correct horse" };
    const { url, driver } = await serve(t, myPipeline(), { tls });
    t.equal((await get(`${url}/health/live`, { ca })).status, 200);
    const parameters = driver.getParameters();
    t.notMatch(inspect(parameters, { depth: 9 }) + JSON.stringify(parameters), /correct horse/);
    await driver.setParameters({ ...parameters, accessLog: false });
    await t.rejects(serve(t, myPipeline(), { tls: { ...tls, passphrase: "wrong" } }), {
      code: "INVALID_ARGUMENT",
      path: "tls.keyFile",
    });
    await t.rejects(driver.setParameters({ ...parameters, tls: { ...tls, passphrase: "wrong" } }), {
      code: "INVALID_ARGUMENT",
      path: "tls",
    });
  }
});

t.test("files that do not fit say which", { skip }, async (t) => {
  const authority = new Authority(t);
  const own = files(authority.server());
  const other = authority.client("other");
  const refused = (tls: unknown, path: string) =>
    t.rejects(serve(t, myPipeline(), { tls } as Partial<HttpParameters>), { code: "INVALID_ARGUMENT", path }, path);
  await refused({ ...own, keyFile: "/no/such/file" }, "tls.keyFile");
  await refused({ ...own, keyFile: other.keyFile }, "tls.keyFile");
  await refused({ ...own, certFile: own.keyFile }, "tls.certFile");
  await refused({ ...own, caFile: own.keyFile }, "tls.caFile");
  await refused({ keyFile: own.keyFile }, "tls.certFile");
  await refused({ ...own, requireClientCert: true }, "tls.requireClientCert");
  await refused({ ...own, ca: "x" }, "tls.ca");
  await t.rejects(serve(t, myPipeline(), { tls: own, certificates: [{ name: "a" }] }), {
    code: "INVALID_ARGUMENT",
    path: "certificates",
  });
});

t.test("clients have to show a certificate", { skip }, async (t) => {
  const authority = new Authority(t);
  const { ca } = authority;
  const [alice, operator, mallory] = [
    authority.client("alice"),
    authority.client("operator"),
    new Authority(t, "Another CA").client("alice"),
  ];
  const certificates = [{ name: "alice" }, { name: "operator", roles: ["admin"] as const }];
  const tls = { ...files(authority.server()), caFile: authority.caFile };
  const tokens = [{ name: "reader", token: TOKEN, roles: ["read"] as const }];
  const { url, port } = await serve(t, await gruPipeline(), { tls, certificates, tokens });
  const of = ({ key, cert }: Certificate) => ({ ca, key, cert });

  t.equal((await get(`${url}/v2`, of(alice))).status, 200);
  t.equal((await get(`${url}/v2`, of(operator))).status, 200);
  await t.rejects(get(`${url}/health/live`, { ca }), "no certificate, not even health");
  await t.rejects(get(`${url}/health/live`, of(mallory)), "of another authority");
  const stranger = await get(`${url}/v2`, of(authority.client("eve")));
  t.match(stranger, { status: 401, body: /eve/ }, "verified, but not in the list");
  const asReader = { ...of(alice), headers: { authorization: `Bearer ${TOKEN}` } };
  t.equal((await get(`${url}/v2`, asReader)).status, 200, "a token counts before the certificate");
  t.equal((await get(`${url}/predict`, { ...asReader, method: "POST" })).status, 403);

  const client = new HeadraceClient({ url, model: "gru", tls: of(alice) });
  const input = { datatype: "FP32" as const, shape: [1, 512], data: new Float32Array(512) };
  t.same((await client.infer({ input })).outputs.output?.shape, [1, 8]);
  const large = { ...input, shape: [500, 512], data: new Float32Array(500 * 512) };
  t.same((await client.infer({ input: large })).outputs.output?.shape, [500, 8], "a body of a megabyte");
  const peer = await Peer.open(t, `${url}/v2/models/gru/stream?raw=input`, of(alice));
  for (let i = 0; i < 3; i++) {
    peer.send(new Uint8Array(2048));
    t.equal((await peer.nextFloats()).length, 8);
  }
  await peer.close();

  const kept = await tlsSocket(t, port, of(alice));
  kept.write(
    `${"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3)}GET /no HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
  );
  const answers = (await allOf(kept)).match(/HTTP\/1\.1 \d+/g);
  t.same(answers, ["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 404"], "one connection, several requests");
});

t.test("a session that is resumed is still whose certificate began it", { skip }, async (t) => {
  const authority = new Authority(t);
  const { key, cert } = authority.client("alice");
  const tls = { ...files(authority.server()), caFile: authority.caFile };
  const { port } = await serve(t, myPipeline(), { tls, certificates: [{ name: "alice" }] });
  const ask = "GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const options = { ca: authority.ca, key, cert, maxVersion: "TLSv1.2" as const };
  const first = await tlsSocket(t, port, options);
  const session = first.getSession();
  first.write(ask);
  t.match(await allOf(first), /^HTTP\/1\.1 200/);
  const second = await tlsSocket(t, port, { ...options, session });
  t.ok(second.isSessionReused());
  second.write(ask);
  t.match(await allOf(second), /^HTTP\/1\.1 200/);
});

/** A PROXY header whose source is these sixteen bytes. */
function proxyHeader(source: Buffer): Buffer {
  const head = Buffer.from("0d0a0d0a000d0a515549540a21210024", "hex");
  return Buffer.concat([head, source, Buffer.alloc(20)]);
}

t.test("a client cannot say that it is another connection", { skip }, async (t) => {
  const authority = new Authority(t);
  const { key, cert } = authority.client("alice");
  const tls = { ...files(authority.server()), caFile: authority.caFile };
  const { port } = await serve(t, myPipeline(), { tls });
  const ask = "GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  for (const source of [Buffer.alloc(16), Buffer.from("00000000000000000000ffff7f000001", "hex")]) {
    const socket = await tlsSocket(t, port, { ca: authority.ca, key, cert });
    socket.write(Buffer.concat([proxyHeader(source), Buffer.from(ask)]));
    const answer = await allOf(socket);
    t.notMatch(answer, /^HTTP\/1\.1 200/, "a header of its own");
    t.match(answer, /^HTTP\/1\.1 40[01]/);
  }
});

t.test("with optional certificates a token does too", { skip }, async (t) => {
  const authority = new Authority(t);
  const { ca } = authority;
  const tls = { ...files(authority.server()), caFile: authority.caFile, requireClientCert: false };
  const { url } = await serve(t, myPipeline(), { tls, tokens: [{ name: "bob", token: TOKEN }] });
  const { key, cert } = authority.client("alice");
  t.equal((await get(`${url}/v2`, { ca, key, cert })).status, 200);
  t.equal((await get(`${url}/v2`, { ca, headers: { authorization: `Bearer ${TOKEN}` } })).status, 200);
  t.equal((await get(`${url}/v2`, { ca })).status, 401);
  t.equal((await get(`${url}/health/live`, { ca })).status, 200);
  const mallory = new Authority(t, "Another CA").client("alice");
  await t.rejects(
    get(`${url}/health/live`, { ca, key: mallory.key, cert: mallory.cert }),
    "one that cannot be verified",
  );
});

t.test("nobody comes in behind TLS", { skip }, async (t) => {
  const authority = new Authority(t);
  const tls = { ...files(authority.server()), caFile: authority.caFile };
  const listened: number[] = [];
  const { listen } = TransportServer.prototype;
  TransportServer.prototype.listen = function (this: TransportServer, ...where) {
    const port = listen.apply(this, where);
    listened.push(port);
    return port;
  };
  t.teardown(() => Object.assign(TransportServer.prototype, { listen }));
  const { port } = await serve(t, myPipeline(), { tls });
  const [inner] = listened;
  t.ok(inner !== undefined && inner !== port);
  const ask = Buffer.from("GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const sent = async (bytes: Buffer): Promise<string> => {
    const socket = connectTcp(inner ?? 0, "127.0.0.1");
    socket.on("error", () => {});
    t.teardown(() => socket.destroy());
    let answer = "";
    socket.on("data", (chunk: Buffer) => {
      answer += chunk;
    });
    socket.write(bytes);
    await once(socket, "close");
    return answer;
  };
  t.equal(await sent(ask), "", "without a PROXY header nothing is heard");
  t.match(await sent(Buffer.concat([proxyHeader(Buffer.alloc(16, 7)), ask])), /^HTTP\/1\.1 401/, "nobody's number");
});

t.test("a new certificate in the same files is used by the next driver", { skip }, async (t) => {
  const authority = new Authority(t);
  const first = authority.server();
  const process = await start(t, myPipeline());
  const serialOf = async () => {
    const driver = await process.addDriver("web", HttpDriver, { port: 0, tls: files(first) });
    const { port } = driver.getService("http").taggedAddresses.lan;
    const socket = await tlsSocket(t, port, { ca: authority.ca });
    const { serialNumber } = socket.getPeerCertificate();
    await driver.stop();
    return serialNumber;
  };
  const before = await serialOf();
  t.equal(await serialOf(), before);
  const second = authority.server("second");
  writeFileSync(first.keyFile, second.key);
  writeFileSync(first.certFile, second.cert);
  t.not(await serialOf(), before);
});

t.test("a driver with certificates drains: what it took is answered, then all is closed", { skip }, async (t) => {
  const authority = new Authority(t);
  const { key, cert } = authority.client("alice");
  const tls = { ...files(authority.server()), caFile: authority.caFile };
  const { driver, url, port } = await serve(t, await gruPipeline(), { tls });
  const peer = await Peer.open(t, `${url}/v2/models/gru/stream?raw=input`, { ca: authority.ca, key, cert });
  peer.send(new Uint8Array(2048));
  await peer.nextFloats();
  await driver.stop();
  t.match(await peer.closed, { code: 1001 });
  await t.rejects(tlsSocket(t, port, { ca: authority.ca, key, cert }), { code: "ECONNREFUSED" });
});
