/** The table of errors, its documentation and the engine's codes say the same. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { NATIVE_CODES } from "../src/engine/surface.js";
import { ERROR_CODES, HeadraceError, InvalidArgumentError, isErrorCode, toHeadraceError } from "../src/errors.js";
import { ROOT } from "./support/paths.js";

/** By the numbers of gRPC's status codes. */
const GRPC = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

t.test("docs/errors.md has the table, row by row", async (t) => {
  const text = await readFile(join(ROOT, "docs/errors.md"), "utf8");
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \|.*\|$/gm)].map(([row]) => row);
  const wanted = Object.entries(ERROR_CODES).map(
    ([code, { meaning, http, close, grpc }]) =>
      `| \`${code}\` | ${meaning} | ${http} | ${close} | ${grpc} ${GRPC[grpc]} |`,
  );
  t.same(rows, wanted);
});

t.test("the engine's codes are those of the surface, in order", async (t) => {
  const text = await readFile(join(ROOT, "native/engine/status.h"), "utf8");
  const body = /enum class Code : int32_t \{([^}]*)\}/.exec(text)?.[1] ?? "";
  const members = [...body.matchAll(/(\w+) = (\d+),/g)].map(([, name, number]) => [name, Number(number)]);
  const names = new Map([...text.matchAll(/case Code::(\w+):\s*return "(\w+)";/g)].map(([, key, name]) => [key, name]));
  t.same(
    members.map(([, number]) => number),
    NATIVE_CODES.map((_, index) => index),
  );
  t.same(
    members.map(([key]) => names.get(String(key))),
    NATIVE_CODES,
  );
  for (const name of NATIVE_CODES.slice(1)) t.ok(isErrorCode(name), name);
});

t.test("the stream protocol's close codes are the table's", async (t) => {
  const text = await readFile(join(ROOT, "docs/stream-protocol.md"), "utf8");
  let rows = 0;
  for (const [, close, errors = ""] of text.matchAll(/^\| (1\d{3}) \| ([A-Z_, a-z]*) \|/gm)) {
    rows += 1;
    for (const code of errors.match(/[A-Z_]{4,}/g) ?? []) {
      t.ok(isErrorCode(code), code);
      if (isErrorCode(code)) t.equal(ERROR_CODES[code].close, Number(close), code);
    }
  }
  t.ok(rows >= 5, "the table was found");
});

t.test("every status and close code is one that exists", async (t) => {
  for (const [code, { http, close, grpc, meaning }] of Object.entries(ERROR_CODES)) {
    t.ok(http >= 400 && http < 600, `${code}: ${http}`);
    t.ok([1000, 1001, 1003, 1007, 1008, 1009, 1011, 1013].includes(close), `${code}: ${close}`);
    t.ok(grpc > 0 && grpc < GRPC.length, `${code}: ${grpc}`);
    t.match(meaning, /^[A-Z].*\.$/, "a sentence");
  }
});

t.test("errors carry their code, path and cause", async (t) => {
  const cause = new TypeError("deep down");
  const error = new InvalidArgumentError("expected a number", { path: "inputs.x", cause });
  t.match(error, { code: "INVALID_ARGUMENT", path: "inputs.x", message: "inputs.x: expected a number", cause });
  t.equal(error.name, "InvalidArgumentError");
  t.equal(error.httpStatus, 400);
  t.ok(error instanceof HeadraceError && error instanceof Error);
  t.equal(toHeadraceError(error), error, "one of ours is left alone");
  t.match(toHeadraceError(cause, "CELL_FAILED"), { code: "CELL_FAILED", message: "deep down", cause });
  t.match(toHeadraceError("text"), { code: "INTERNAL", message: "text", cause: "text" });
  t.notOk(isErrorCode("toString"));
});
