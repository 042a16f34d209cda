/** The published schema of a result: a sample fits it, it refuses what does not, and it says what the types say. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import t from "tap";
import ts from "typescript";
import { checkResult, readResult } from "../../src/bench/result-file.js";
import { ROOT } from "../support/paths.js";
import { sampleResult } from "./sample.js";

interface Schema {
  readonly [key: string]: unknown;
  readonly $defs: Readonly<Record<string, object>>;
}

const schema: Schema = JSON.parse(readFileSync(join(ROOT, "schema/bench-result.schema.json"), "utf8"));

t.test("a sample fits the schema, as it is and through JSON", (t) => {
  const validate = new Ajv2020().compile(schema);
  t.ok(validate(sampleResult()), JSON.stringify(validate.errors));
  t.ok(validate(JSON.parse(JSON.stringify(sampleResult()))));
  t.end();
});

t.test("a newer writer's extra fields are let through", (t) => {
  t.ok(checkResult({ ...sampleResult(), later: true }, "a.json"));
  t.end();
});

t.test("what does not fit is refused with its path", (t) => {
  const result = sampleResult();
  const broken = JSON.parse(JSON.stringify(result)) as { cases: { summary: { errors: unknown } }[] };
  const [, second] = broken.cases;
  if (second === undefined) throw new Error("the sample has cases");
  second.summary.errors = "none";
  t.throws(() => checkResult(broken, "a.json"), {
    code: "INVALID_ARGUMENT",
    message: "a.json: is not a result of headrace bench: cases[1].summary.errors must be integer",
  });
  t.throws(() => checkResult({ ...result, schemaVersion: 2 }, "a.json"), {
    message: /schemaVersion must be 1, the ver/,
  });
  t.throws(() => checkResult([], "a.json"), { message: /bench: it must be object/ });
  t.end();
});

t.test("a file that is not there, and one that is not JSON", async (t) => {
  const folder = t.testdir({ "half.json": '{"schemaVersion":' });
  await t.rejects(readResult(join(folder, "none.json")), { code: "NOT_FOUND" });
  await t.rejects(readResult(join(folder, "half.json")), { code: "INVALID_ARGUMENT", message: /is not JSON/ });
});

/** What a type node says, in the words of JSON Schema, numbers and integers alike. */
function shape(node: ts.TypeNode): unknown {
  if (ts.isTypeOperatorNode(node)) return shape(node.type);
  if (ts.isArrayTypeNode(node)) return { type: "array", items: shape(node.elementType) };
  if (ts.isTupleTypeNode(node)) {
    const prefixItems = node.elements.map((one) => shape(ts.isNamedTupleMember(one) ? one.type : one));
    return { type: "array", minItems: prefixItems.length, maxItems: prefixItems.length, prefixItems, items: false };
  }
  if (ts.isUnionTypeNode(node)) return { enum: node.types.map((one) => literal(one)) };
  if (ts.isLiteralTypeNode(node)) return { const: literal(node) };
  const text = node.getText();
  if (text === "JsonObject") return { type: "object" };
  return ts.isTypeReferenceNode(node) ? { $ref: `#/$defs/${text}` } : { type: text };
}

function literal(node: ts.TypeNode): unknown {
  return JSON.parse(node.getText());
}

function objectShape(node: ts.InterfaceDeclaration): object {
  const members = node.members.filter(ts.isPropertySignature);
  const properties = members.map((one) => [one.name.getText(), one.type === undefined ? undefined : shape(one.type)]);
  const required = members.filter((one) => one.questionToken === undefined).map((one) => one.name.getText());
  return { type: "object", ...(required.length > 0 ? { required } : {}), properties: Object.fromEntries(properties) };
}

/** The schema without what types cannot say: words, limits, and that a number is whole. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== "object" || value === null) return value === "integer" ? "number" : value;
  const { description, ...rest } = value as { description?: unknown; properties?: object };
  const kept = Object.entries(rest).filter(([key]) => key !== "minimum");
  const entries = typeof description === "object" ? Object.entries(value) : kept;
  return Object.fromEntries(entries.map(([key, one]) => [key, bare(one)]));
}

t.test("types and schema say the same", (t) => {
  const file = join(ROOT, "src/bench/result.ts");
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  const types = new Map<string, unknown>();
  for (const node of source.statements) {
    if (ts.isInterfaceDeclaration(node)) types.set(node.name.text, objectShape(node));
    if (ts.isTypeAliasDeclaration(node) && !node.name.text.startsWith("Json"))
      types.set(node.name.text, shape(node.type));
  }
  const { $defs, $schema, title, ...top } = schema;
  t.strictSame(bare(top), types.get("BenchResult"));
  types.delete("BenchResult");
  t.strictSame(bare($defs), Object.fromEntries(types));
  t.end();
});
