/** `headrace bench` of servers that speak TLS. */
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { createServer } from "node:tls";
import t from "tap";
import { checkResult } from "../../src/bench/result-file.js";
import { TlsTunnel } from "../../src/bench/tls-tunnel.js";
import { Authority, noOpenssl } from "../support/certificates.js";
import { Command, headrace, headraceIn } from "../support/cli.js";
import { GRU } from "../support/paths.js";

t.setTimeout(240_000);

const SHORT = ["--repetitions", "1", "--warmup", "0.1", "--duration", "0.3", "--max-duration", "0.3"];

t.test("what TLS fails of is known afterwards", { skip: noOpenssl() }, async (t) => {
  const authority = new Authority(t);
  const server = createServer(authority.server()).listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const tunnel = await TlsTunnel.open({ address: "127.0.0.1", port, hostname: "localhost", alpn: "http/1.1" });
  t.teardown(() => tunnel.close());
  const client = connect(tunnel.port, "127.0.0.1");
  await once(client, "connect");
  const gone = once(client.resume(), "close");
  await tunnel.begin();
  await gone;
  t.match(tunnel.problem, /^TLS with localhost: .*certificate.*NODE_EXTRA_CA_CERTS=FILE/);
});

t.test("over HTTP, WebSockets and gRPC, by whom Node.js trusts", { skip: noOpenssl() }, async (t) => {
  const authority = new Authority(t);
  const { keyFile, certFile } = authority.server();
  const ports = ["--port", "0", "--grpc-port", "0"];
  const server = new Command(t, ["serve", GRU, ...ports, "--tls-key", keyFile, "--tls-cert", certFile]);
  const [, httpPort] = await server.saw(/ is listening on https:\S+:(\d+)\n/);
  const [, grpcPort] = await server.saw(/gRPC is listening on \S+:(\d+)\n/);
  const trusting = { env: { NODE_EXTRA_CA_CERTS: authority.caFile } };
  for (const [url, protocols] of [
    [`https://localhost:${httpPort}`, ["http-binary", "http-json"]],
    [`wss://127.0.0.1:${httpPort}`, ["ws-raw", "ws-binary"]],
    [`grpcs://localhost:${grpcPort}`, ["grpc"]],
  ] as const) {
    const args = ["bench", url, "--concurrency", "4", ...SHORT];
    const { code, stdout, stderr } = await headraceIn(t, trusting, ...args, "--json=-");
    t.equal(code, 0, stderr);
    const result = checkResult(JSON.parse(stdout), "stdout");
    t.same(
      result.cases.map(({ protocol }) => protocol),
      protocols,
    );
    for (const { name, repetitions, summary } of result.cases) {
      t.ok((repetitions[0]?.requests ?? 0) > 0, `${url}, ${name}: ${repetitions[0]?.firstError}`);
      t.equal(summary.errors + summary.unfinished, 0, name);
      t.ok((repetitions[0]?.phases?.run ?? 0) > 0, `${name}: what the server counted`);
    }
    const stranger = await headrace(t, ...args);
    t.equal(stranger.code, 1);
    t.match(stranger.stderr, /UNAVAILABLE: nobody answers at .*certificate.*NODE_EXTRA_CA_CERTS=FILE/);
  }
});
