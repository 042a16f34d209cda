/** Tokens and TLS at the command line and in headrace.yaml. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { Authority, noOpenssl } from "../support/certificates.js";
import { Command, headrace } from "../support/cli.js";
import { GRU } from "../support/paths.js";

const TOKEN = "token-0123456789abcdef";

t.test("serve asks for a token and speaks TLS", { skip: noOpenssl() }, async (t) => {
  const authority = new Authority(t);
  const server = authority.server();
  const tokens = join(authority.folder, "tokens.yaml");
  await writeFile(tokens, `- { name: alice, token: ${TOKEN} }\n`, { mode: 0o600 });
  const tls = ["--tls-key", server.keyFile, "--tls-cert", server.certFile];
  const args = ["serve", GRU, "--port", "0", "--host", "0.0.0.0", "--tokens", tokens, ...tls];
  const command = new Command(t, args);
  const [, url = ""] = await command.saw(/is listening on (https:\/\/127\.0\.0\.1:\d+)/);
  const client = new HeadraceClient({ url, model: "gru512", token: TOKEN, tls: { ca: authority.ca } });
  await client.wait();
  const input = { datatype: "FP32" as const, shape: [1, 512], data: new Float32Array(512) };
  t.same((await client.infer({ input })).outputs.output?.shape, [1, 8]);
  const stranger = new HeadraceClient({ url, model: "gru512", tls: { ca: authority.ca } });
  await t.rejects(stranger.infer({ input }), { code: "UNAUTHENTICATED" });
  const { code, stdout, stderr } = await command.stop();
  t.equal(code, 0);
  t.notMatch(stdout + stderr, TOKEN);
});

t.test("serve does not let everybody in by mistake", async (t) => {
  const open = await headrace(t, "serve", GRU, "--port", "0", "--host", "0.0.0.0");
  t.equal(open.code, 2);
  t.match(open.stderr, /host: 0\.0\.0\.0 .*--tokens.*--tls-ca.*--insecure/);
  const half = await headrace(t, "serve", GRU, "--port", "0", "--tls-cert", "server.pem");
  t.equal(half.code, 2);
  t.match(half.stderr, /--tls-key: is missing/);
  const command = new Command(t, ["serve", GRU, "--port", "0", "--host", "0.0.0.0", "--insecure"]);
  await command.saw(/is listening on (http:\/\/127\.0\.0\.1:\d+)/);
  t.equal((await command.stop()).code, 0);
});

t.test("serve --models lets nobody in without a token either", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "headrace-models-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const open = await headrace(t, "serve", "--models", folder, "--port", "0", "--host", "0.0.0.0");
  t.equal(open.code, 2);
  t.match(open.stderr, /--tokens/);
  const tokens = join(folder, "..", `${process.pid}-tokens.json`);
  await writeFile(tokens, JSON.stringify([{ name: "ops", token: TOKEN, roles: ["admin"] }]), { mode: 0o600 });
  t.teardown(() => rm(tokens));
  const command = new Command(t, ["serve", "--models", folder, "--port", "0", "--tokens", tokens]);
  const [, url = ""] = await command.saw(/is listening on (http:\/\/127\.0\.0\.1:\d+)/);
  const index = `${url}/v2/repository/index`;
  t.equal((await fetch(index, { method: "POST" })).status, 401);
  const headers = { authorization: `Bearer ${TOKEN}` };
  t.equal((await fetch(index, { method: "POST", headers })).status, 200);
  const load = `${url}/v2/repository/models/none/load`;
  const page = { ...headers, origin: "https://evil.example.com" };
  t.equal((await fetch(load, { method: "POST", headers: page })).status, 403, "a page of another origin");
  t.equal((await fetch(load, { method: "POST", headers })).status, 404);
  t.equal((await command.stop()).code, 0);
});

t.test("headrace.yaml has its tokens from the environment, and nothing prints them", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "headrace-run-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, "headrace.yaml");
  await writeFile(
    file,
    `version: 1
pipeline: { model: ${GRU} }
drivers:
  web:
    use: http
    options:
      port: 0
      tokens:
        - { name: alice, token: "\${ALICE_TOKEN}" }
`,
  );
  const env = { ALICE_TOKEN: TOKEN, HEADRACE_LOG: "trace" };
  const command = new Command(t, ["run", file, "--json"], { env });
  const [, port = ""] = await command.saw(/"port":(\d+)/);
  const url = `http://127.0.0.1:${port}`;
  t.equal((await fetch(`${url}/v2`)).status, 401);
  t.equal((await fetch(`${url}/v2`, { headers: { authorization: `Bearer ${TOKEN}` } })).status, 200);
  const { stdout, stderr } = await command.stop();
  t.match(stdout, /"event":"started"/);
  t.notMatch(stdout + stderr, TOKEN);
  const short = new Command(t, ["run", file, "--json"], { env: { ALICE_TOKEN: "too-short-to-do" } });
  const refused = await short.exited;
  t.equal(refused.code, 2);
  t.match(refused.stderr, /headrace\.yaml:9:.*tokens\[0\]\.token: expected 16 to 1024 characters/);
  t.notMatch(refused.stdout + refused.stderr, "too-short-to-do");
});
