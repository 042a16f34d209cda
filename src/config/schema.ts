/** headrace.yaml against its schema: the published one, so that editors and the loader say the same. */
import { readFileSync } from "node:fs";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { suggestion } from "../plugins/index.js";
import type { HeadraceConfig } from "./config.js";
import type { ParsedYaml } from "./parse.js";
import { ConfigInvalidError, type ConfigPath, type ConfigProblem } from "./source.js";

/** Beside package.json, one folder above src/ and dist/ alike. */
const FILE = new URL("../../schema/headrace.schema.json", import.meta.url);

let compiled: ValidateFunction<HeadraceConfig> | undefined;

function validator(): ValidateFunction<HeadraceConfig> {
  compiled ??= new Ajv2020({
    allErrors: true,
    verbose: true,
    allowUnionTypes: true,
    strictTypes: false,
  }).compile<HeadraceConfig>(JSON.parse(readFileSync(FILE, "utf8")));
  return compiled;
}

function pathOf(error: ErrorObject, root: unknown): ConfigPath {
  let value = root;
  return error.instancePath
    .split("/")
    .slice(1)
    .map((part) => {
      const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
      const step = Array.isArray(value) ? Number(key) : key;
      value = (value as Record<string | number, unknown>)[step];
      return step;
    });
}

/** A type or types as a sentence has them: `a number or a string`. */
function typeText(type: unknown): string {
  const article: Record<string, string> = { object: "keys and values", array: "a list", integer: "an integer" };
  return [type]
    .flat()
    .map((one) => article[String(one)] ?? `a ${one}`)
    .join(" or ");
}

/** A value as a message shows it: short. */
function shown(value: unknown): string {
  if (value === null) return "nothing";
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

/** What is wrong and what to do. */
function message({ keyword, params, data, message, schema }: ErrorObject): string {
  switch (keyword) {
    case "type":
      return `expected ${typeText(params.type)}, got ${shown(data)}`;
    case "const":
      return `expected ${shown(params.allowedValue)}, got ${shown(data)}`;
    case "enum":
      return `expected one of ${(params.allowedValues as unknown[]).join(", ")}, got ${shown(data)}${
        typeof data === "string" ? `; ${suggestion(data, params.allowedValues as string[])}` : ""
      }`;
    case "minimum":
      return `expected at least ${params.limit}, got ${shown(data)}`;
    case "maximum":
      return `expected at most ${params.limit}, got ${shown(data)}`;
    case "exclusiveMinimum":
      return `expected a number above ${params.limit}, got ${shown(data)}`;
    case "minLength":
      return "expected a string that is not empty";
    case "minProperties":
      return "is empty; name at least one";
    case "oneOf":
      return `expected exactly one of ${(schema as { required: string[] }[]).flatMap((one) => one.required).join(", ")}`;
    case "dependentRequired":
      return `goes with '${params.missingProperty}' only; remove it, or add '${params.missingProperty}'`;
    default:
      return message ?? `does not fit (${keyword})`;
  }
}

function problem(error: ErrorObject, { value, source }: ParsedYaml): ConfigProblem {
  const path = pathOf(error, value);
  const { keyword, params, parentSchema } = error;
  if (keyword === "additionalProperties") {
    const key = String(params.additionalProperty);
    const known = Object.keys((parentSchema?.properties as object | undefined) ?? {});
    return source.problem([...path, key], `unknown key; ${suggestion(key, known)}`, "key");
  }
  if (keyword === "required") return source.problem([...path, params.missingProperty], "is missing; add it");
  if (keyword === "dependentRequired") return source.problem([...path, params.property], message(error), "key");
  return source.problem(path, message(error));
}

/** The value, known to fit. Throws ConfigInvalidError with all that does not. */
export function checkSchema(parsed: ParsedYaml): HeadraceConfig {
  const validate = validator();
  const { value } = parsed;
  if (validate(value)) return value;
  const errors = validate.errors ?? [];
  const open = new Set(errors.filter(({ keyword }) => keyword === "oneOf").map(({ instancePath }) => instancePath));
  const telling = errors.filter(({ keyword, schemaPath, instancePath }) => {
    // An `if` only says which of its branches failed, and the branches of a `oneOf` are one question.
    if (keyword === "if" || /\/oneOf\/\d+\//.test(schemaPath)) return false;
    // What goes with a choice says nothing as long as there is none.
    return keyword !== "dependentRequired" || !open.has(instancePath);
  });
  const problems = telling.map((error) => problem(error, parsed));
  throw new ConfigInvalidError(problems.sort((a, b) => a.line - b.line || a.column - b.column));
}
