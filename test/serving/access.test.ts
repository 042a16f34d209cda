/** Who may do what, whatever the transport: tokens, certificates, the file of tokens, and where a server may listen. */
import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import t, { type Test } from "tap";
import { HeadraceError } from "../../src/errors.js";
import { Access, ANYBODY } from "../../src/serving/access.js";
import { type AccessOptions, knownTokens, sha256Hex } from "../../src/serving/access-options.js";
import { checkBinding, isLoopback } from "../../src/serving/binding.js";
import { Secret } from "../../src/serving/secret.js";

const ALICE = "alice-0123456789abcdef";
const OPS = "ops.0123456789_abcdef~+/==";
const NOBODY: AccessOptions = { tokens: [], tokensFile: undefined, certificates: [] };

async function opened(t: Test, options: Partial<AccessOptions>, verifiesCertificates = false): Promise<Access> {
  const access = await Access.open({ options: { ...NOBODY, ...options }, verifiesCertificates });
  t.teardown(() => access.close());
  return access;
}

const bearer = (token: string): string => `Bearer ${token}`;

/** The error that a call throws. */
function thrown(work: () => unknown): HeadraceError {
  try {
    work();
  } catch (error) {
    if (error instanceof HeadraceError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

t.test("without tokens and certificates anybody may do anything", async (t) => {
  const access = await opened(t, {});
  t.equal(access.authorize({ role: "admin" }), ANYBODY);
  t.equal(access.authorize({ authorization: "Bearer whatever", role: "predict" }), ANYBODY);
  t.ok(access.isOpen);
  t.ok(access.knows(ANYBODY));
});

t.test("a token is its client, given as itself or as its hash", async (t) => {
  const tokens = [
    { name: "alice", token: ALICE },
    { name: "ops", tokenSha256: sha256Hex(OPS).toUpperCase(), roles: ["admin"] as const },
  ];
  const access = await opened(t, { tokens });
  t.match(access.authorize({ authorization: bearer(ALICE), role: "predict" }), { name: "alice" });
  t.match(access.authorize({ authorization: `bearer   ${ALICE}`, role: "read" }), { name: "alice" });
  for (const role of ["predict", "read", "admin"] as const) {
    t.match(access.authorize({ authorization: bearer(OPS), role }), { name: "ops" }, "admin includes the others");
  }
  t.match(
    thrown(() => access.authorize({ authorization: bearer(ALICE), role: "admin" })),
    {
      code: "PERMISSION_DENIED",
      message: /'alice' may not: this needs the role admin, it has predict, read/,
    },
  );
  t.notOk(access.knows(ANYBODY));
});

t.test("neither predict nor read includes the other", async (t) => {
  const access = await opened(t, {
    tokens: [
      { name: "p", token: ALICE, roles: ["predict"] },
      { name: "r", token: OPS, roles: ["read"] },
    ],
  });
  t.equal(thrown(() => access.authorize({ authorization: bearer(ALICE), role: "read" })).code, "PERMISSION_DENIED");
  t.equal(thrown(() => access.authorize({ authorization: bearer(OPS), role: "predict" })).code, "PERMISSION_DENIED");
});

t.test("whatever is no known token is refused, and never repeated", async (t) => {
  const access = await opened(t, { tokens: [{ name: "alice", token: ALICE }] });
  const wrong = ["", "Bearer", "Bearer ", `Basic ${ALICE}`, ALICE, bearer(`${ALICE}x`), bearer(ALICE.slice(1))];
  for (const authorization of [
    ...wrong,
    bearer(`${ALICE} ${ALICE}`),
    bearer(sha256Hex(ALICE)),
    bearer("é".repeat(20)),
  ]) {
    const error = thrown(() => access.authorize({ authorization, role: "predict" }));
    t.equal(error.code, "UNAUTHENTICATED", authorization);
    t.notMatch(error.message, ALICE.slice(1));
  }
  t.equal(thrown(() => access.authorize({ role: "predict" })).code, "UNAUTHENTICATED");
});

t.test("certificates", async (t) => {
  const any = await opened(t, {}, true);
  t.match(any.authorize({ certificateName: "carol", role: "read" }), { name: "carol" });
  t.equal(thrown(() => any.authorize({ certificateName: "carol", role: "admin" })).code, "PERMISSION_DENIED");
  t.equal(thrown(() => any.authorize({ role: "read" })).code, "UNAUTHENTICATED", "none was shown");

  const certificates = [{ name: "carol", roles: ["admin"] as const }];
  const listed = await opened(t, { certificates, tokens: [{ name: "alice", token: ALICE }] }, true);
  t.match(listed.authorize({ certificateName: "carol", role: "admin" }), { name: "carol" });
  t.equal(thrown(() => listed.authorize({ certificateName: "dave", role: "read" })).code, "UNAUTHENTICATED");
  const both = { certificateName: "carol", authorization: bearer(ALICE) };
  t.match(listed.authorize({ ...both, role: "read" }), { name: "alice" }, "a token counts before a certificate");
  const wrong = { ...both, authorization: bearer(OPS) };
  t.equal(thrown(() => listed.authorize({ ...wrong, role: "read" })).code, "UNAUTHENTICATED", "also a wrong one");
});

t.test("a list of tokens that does not fit says where, without the token", async (t) => {
  const cases: [unknown, string, RegExp][] = [
    ["x", "tokens", /expected a list/],
    [[1], "tokens[0]", /expected an object/],
    [[{ name: "a" }], "tokens[0]", /either token or tokenSha256/],
    [[{ name: "a", token: ALICE, tokenSha256: sha256Hex(OPS) }], "tokens[0]", /either token or tokenSha256/],
    [[{ name: "a", token: "short-secret" }], "tokens[0].token", /16 to 1024 characters.*got 12 characters.*openssl/],
    [[{ name: "a", token: "with spaces in it, and long" }], "tokens[0].token", /characters/],
    [[{ name: "a", tokenSha256: "abc" }], "tokens[0].tokenSha256", /64 hexadecimal digits/],
    [[{ name: "", token: ALICE }], "tokens[0].name", /expected a name/],
    [[{ name: "a", token: ALICE, roles: [] }], "tokens[0].roles", /expected some of/],
    [[{ name: "a", token: ALICE, roles: ["root"] }], "tokens[0].roles[0]", /expected one of predict, read, admin/],
    [[{ name: "a", token: ALICE, role: "admin" }], "tokens[0].role", /no such field/],
    [
      [
        { name: "a", token: ALICE },
        { name: "b", token: ALICE },
      ],
      "tokens[1]",
      /another entry/,
    ],
  ];
  for (const [value, path, message] of cases) {
    const error = thrown(() => knownTokens(value, "tokens"));
    t.match(error, { code: "INVALID_ARGUMENT", path, message });
    t.notMatch(error.message, /short-secret|with spaces|0123456789abcdef/);
  }
});

t.test("what is known of a token is its hash", async (t) => {
  const known = knownTokens([{ name: "alice", token: ALICE }], "tokens");
  t.same(known, [{ name: "alice", roles: ["predict", "read"], tokenSha256: sha256Hex(ALICE) }]);
  t.same(knownTokens(known, "tokens"), known, "and stays so");
});

t.test("a file of tokens is followed", async (t) => {
  // Looking at the file keeps no process alive.
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => clearInterval(alive));
  const folder = await mkdtemp(join(tmpdir(), "headrace-tokens-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, "tokens.yaml");
  await writeFile(
    file,
    `tokens:\n  - name: alice\n    token: ${ALICE}\n  - { name: ops, tokenSha256: ${sha256Hex(OPS)} }\n`,
  );
  await chmod(file, 0o600);
  const logged: string[] = [];
  const log = { info: () => {}, warn: () => logged.push("warn"), error: () => logged.push("error") };
  const options = { ...NOBODY, tokensFile: file };
  const access = await Access.open({ options, verifiesCertificates: false, log: log as never });
  t.teardown(() => access.close());
  const alice = access.authorize({ authorization: bearer(ALICE), role: "predict" });
  const ops = access.authorize({ authorization: bearer(OPS), role: "predict" });

  const changed = () => new Promise<void>((resolve) => access.onChange(resolve));
  const first = changed();
  // Another file takes its place, as secrets do that a cluster mounts.
  await writeFile(`${file}.new`, JSON.stringify([{ name: "ops", token: OPS }]));
  await chmod(`${file}.new`, 0o644);
  await rename(`${file}.new`, file);
  await first;
  t.notOk(access.knows(alice), "who is no longer in it is not known");
  t.equal(thrown(() => access.authorize({ authorization: bearer(ALICE), role: "predict" })).code, "UNAUTHENTICATED");
  t.equal(access.authorize({ authorization: bearer(OPS), role: "predict" }), ops, "who is still there is the same");

  const broken = new Promise<void>((resolve) => {
    log.error = () => {
      resolve();
      return logged.push("error");
    };
  });
  await writeFile(file, `tokens: [${ALICE}`);
  await broken;
  t.equal(access.authorize({ authorization: bearer(OPS), role: "predict" }), ops, "a broken file changes nothing");
  t.match(logged, ["warn", "error"], "that everybody could read the tokens was told, and that they are broken");
});

t.test("a file of tokens that is not there, or not good, is refused at the start", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "headrace-tokens-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, "tokens.json");
  await t.rejects(opened(t, { tokensFile: file }), { code: "NOT_FOUND", path: "tokensFile" });
  for (const [text, message] of [
    [`{"tokens": [{"name": "a", "token": "${ALICE}"}`, /neither JSON nor YAML/],
    [`{"tokens": [{"name": "a", "token": "${ALICE}", "roles": ["x"]}]}`, /tokens\[0\]\.roles\[0\]: expected one of/],
    [`{"keys": []}`, /no such field/],
    [`- &a [1]\n- *a\n`, /tokensFile/],
  ] as const) {
    await writeFile(file, text);
    const error = await opened(t, { tokensFile: file }).catch((problem: unknown) => problem);
    t.match(error, { code: "INVALID_ARGUMENT", message });
    t.notMatch(inspect(error, { depth: 9 }), ALICE, "the token is nowhere in the error");
  }
});

t.test("loopback", async (t) => {
  for (const host of ["127.0.0.1", "127.9.8.7", "::1", "[::1]", "localhost", "LOCALHOST"]) t.ok(isLoopback(host), host);
  const others = [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "128.0.0.1",
    "example.com",
    "localhost.example.com",
    "127.0.0.1.example.com",
  ];
  for (const host of others) t.notOk(isLoopback(host), host);
  t.equal(checkBinding("127.0.0.1", false, false), undefined);
  t.equal(checkBinding("0.0.0.0", true, false), undefined);
  t.equal(checkBinding("0.0.0.0", false, true), undefined);
  const error = thrown(() => checkBinding("0.0.0.0", false, false));
  t.match(error, { code: "INVALID_ARGUMENT", path: "host" });
  for (const way of [/--tokens/, /--tls-ca/, /--insecure/]) t.match(error.message, way, "says the ways out");
});

t.test("a secret shows nothing but whether it is the same", async (t) => {
  const secret = new Secret("correct horse");
  t.equal(secret.reveal(), "correct horse");
  for (const text of [JSON.stringify({ secret }), inspect({ secret }), String(secret)]) {
    t.match(text, /\[secret\]/);
    t.notMatch(text, /correct/);
  }
  t.equal(new Secret("correct horse").fingerprint, secret.fingerprint);
  t.not(new Secret("battery staple").fingerprint, secret.fingerprint);
});
