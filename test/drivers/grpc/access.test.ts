/** Tokens, certificates and rates over gRPC, with grpc-js as the client: the same rules as over HTTP. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { credentials, Metadata, status } from "@grpc/grpc-js";
import t from "tap";
import { type GrpcParameters, openGrpcPort } from "../../../src/drivers/grpc/index.js";
import { methodsOf } from "../../../src/drivers/grpc/messages/schema.js";
import { METHOD_ROLES, roleOfMethod } from "../../../src/drivers/grpc/method-roles.js";
import { SERVICES } from "../../../src/drivers/grpc/reflection.js";
import { init } from "../../../src/runtime/index.js";
import { Authority, type Certificate, noOpenssl } from "../../support/certificates.js";
import { GrpcTestClient, gruRequest, serveGrpc, V2 } from "../../support/grpc.js";
import { ROOT } from "../../support/paths.js";
import { gruPipeline } from "../../support/serve.js";

const TOKENS = {
  predict: "predict-0123456789abcdef",
  read: "read-0123456789abcdef",
  admin: "admin-0123456789abcdef",
} as const;
const tokens = Object.entries(TOKENS).map(([role, token]) => ({ name: `the ${role}er`, token, roles: [role] }));
const PROTECTED = { tokens } as unknown as Partial<GrpcParameters>;

function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

const REFUSED = [status.UNAUTHENTICATED, status.PERMISSION_DENIED];

t.test("every method has a role, and lets in who has it", async (t) => {
  const { port, driver } = await serveGrpc(t, await gruPipeline(), PROTECTED);
  const found: string[] = [];
  for (const service of SERVICES) {
    const client = new GrpcTestClient(t, port, service);
    for (const [name, { path }] of methodsOf(service)) {
      found.push(path);
      const role = roleOfMethod(path);
      const isStream = /Stream|Watch|Reflection/.test(name);
      const codeOf = async (metadata: Metadata) => {
        // What goes on as long as its client wants to has no code until its deadline.
        const options = { deadline: Date.now() + (isStream ? 300 : 10_000) };
        if (!isStream) return (await client.call(name, {}, options, metadata)).error?.code;
        const stream = name === "Watch" ? client.watch(name, {}, metadata) : client.stream(name, options, metadata);
        if (name !== "Watch") stream.call.end();
        else await stream.until(1);
        if (name === "Watch") stream.call.cancel();
        await stream.ended();
        return stream.error?.code;
      };
      const isOpen = role === "health";
      const nobody = await codeOf(new Metadata());
      t.equal(nobody === status.UNAUTHENTICATED, !isOpen, `${path} is for ${role}: without a token`);
      for (const own of ["predict", "read", "admin"] as const) {
        const code = await codeOf(bearer(TOKENS[own]));
        const may = isOpen || own === role || own === "admin";
        t.equal(code !== undefined && REFUSED.includes(code), !may, `${path} is for ${role}: as ${own}, ${code}`);
      }
    }
  }
  t.same(found.sort(), Object.keys(METHOD_ROLES).sort(), "and every role has its method");
  t.throws(() => roleOfMethod("/new"), { code: "INTERNAL", message: /has no role/ });
  const parameters = driver.getParameters();
  for (const token of Object.values(TOKENS)) t.notMatch(inspect(parameters, { depth: 9 }), token);
  await driver.setParameters({ ...parameters });
});

t.test("docs/security.md has the table of methods and roles", async (t) => {
  const page = await readFile(join(ROOT, "docs/security.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(\/[^`]+)` \| (\w+) \|/gm)].map(([, path = "", role]) => [path, role]);
  t.same(rows, Object.entries(METHOD_ROLES));
});

t.test("a stream ends when its token is no longer good", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "headrace-tokens-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const tokensFile = join(folder, "tokens.json");
  const [old, kept] = [
    { name: "old", token: TOKENS.admin },
    { name: "kept", token: TOKENS.predict },
  ];
  await writeFile(tokensFile, JSON.stringify([old, kept]));
  const { client, port } = await serveGrpc(t, await gruPipeline(), { tokensFile });
  const reflection = new GrpcTestClient(t, port, "grpc.reflection.v1.ServerReflection");
  const asking = reflection.stream("ServerReflectionInfo", {}, bearer(old.token));
  asking.send({ list_services: "" });
  await asking.until(1);
  const [going, staying] = [old, kept].map(({ token }) => client.stream("ModelStreamInfer", {}, bearer(token)));
  going?.send(gruRequest(1));
  await going?.until(1);
  await writeFile(tokensFile, JSON.stringify([kept]));
  await going?.ended();
  t.match(going?.error, { code: status.UNAUTHENTICATED, details: /no longer good/ });
  await asking.ended();
  t.match(asking.error, { code: status.UNAUTHENTICATED, details: /no longer good/ });
  staying?.send(gruRequest(1));
  await staying?.until(1);
  t.equal(staying?.answers[0].error_message, "");
  staying?.call.cancel();
});

t.test(
  "a client beyond its rate waits; within a stream the request is answered so, and the stream goes on",
  async (t) => {
    const rateLimit = { requestsPerSecond: 0.001, burst: 3 };
    const { client } = await serveGrpc(t, await gruPipeline(), { ...PROTECTED, rateLimit });
    const stream = client.stream("ModelStreamInfer", {}, bearer(TOKENS.predict));
    for (let i = 0; i < 3; i++) stream.send(gruRequest(i));
    await stream.until(3);
    t.same(
      stream.answers.map(({ error_message }) => /rateLimit/.test(error_message)),
      [false, false, true],
    );
    const { error } = await client.call("ModelInfer", gruRequest(1), {}, bearer(TOKENS.predict));
    t.match(error, { code: status.RESOURCE_EXHAUSTED, details: /rateLimit/ });
    t.equal((await client.call("ServerLive", {}, {}, bearer(TOKENS.predict))).error, undefined, "health is free");
    t.equal((await client.call("ServerMetadata", {}, {}, bearer(TOKENS.read))).error, undefined, "others do not wait");
    stream.call.cancel();
  },
);

t.test("listening where others reach it needs tokens, or that it is meant", async (t) => {
  const runtime = await init();
  t.teardown(() => runtime.stop());
  const refused = { code: "INVALID_ARGUMENT", path: "host", message: /--tokens/ };
  await t.rejects(openGrpcPort(runtime, { port: 0, host: "0.0.0.0" }), refused);
  await t.rejects(serveGrpc(t, await gruPipeline(), { host: "::" }), refused);
  for (const parameters of [{ insecure: true }, PROTECTED]) {
    const port = await openGrpcPort(runtime, { port: 0, host: "0.0.0.0", ...parameters });
    t.ok(port.port > 0);
    port.close();
  }
});

const files = ({ keyFile, certFile }: Certificate) => ({ keyFile, certFile });

t.test("TLS, and certificates of clients", { skip: noOpenssl() }, async (t) => {
  const authority = new Authority(t);
  const server = files(authority.server());
  const asked = async (port: number, own: Certificate | undefined, method: string) => {
    const security = credentials.createSsl(authority.ca, own?.key ?? null, own?.cert ?? null);
    const client = new GrpcTestClient(t, port, V2, { "grpc.ssl_target_name_override": "localhost" }, security);
    return (await client.call(method, {}, { deadline: Date.now() + 5000 })).error?.code;
  };
  const alice = authority.client("alice");
  const mallory = new Authority(t, "Another CA").client("alice");

  const plain = await serveGrpc(t, await gruPipeline(), { tls: server });
  t.equal(plain.driver.getService("grpc").meta.scheme, "grpcs");
  t.equal(await asked(plain.port, undefined, "ServerMetadata"), undefined);

  const required = await serveGrpc(t, await gruPipeline(), { tls: { ...server, caFile: authority.caFile } });
  t.equal(await asked(required.port, alice, "ServerMetadata"), undefined);
  t.equal(await asked(required.port, alice, "RepositoryModelLoad"), status.PERMISSION_DENIED);
  t.equal(await asked(required.port, undefined, "ServerLive"), status.UNAVAILABLE);
  t.equal(await asked(required.port, mallory, "ServerLive"), status.UNAVAILABLE);

  const tls = { ...server, caFile: authority.caFile, requireClientCert: false };
  const certificates = [{ name: "alice", roles: ["predict"] as const }];
  const optional = await serveGrpc(t, await gruPipeline(), { tls, certificates });
  t.equal(await asked(optional.port, alice, "ServerMetadata"), status.PERMISSION_DENIED);
  t.equal(await asked(optional.port, undefined, "ServerMetadata"), status.UNAUTHENTICATED);
  t.equal(await asked(optional.port, undefined, "ServerLive"), undefined);
  t.equal(await asked(optional.port, mallory, "ServerLive"), status.UNAVAILABLE);
});
