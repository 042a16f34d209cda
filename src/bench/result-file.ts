/** A result as a file has it: JSON, checked against the published schema before anything is read from it. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { InvalidArgumentError } from "../errors.js";
import { fileError } from "../file-error.js";
import type { BenchResult } from "./result.js";

/** Beside package.json, two folders above src/bench/ and dist/bench/ alike. */
const SCHEMA = new URL("../../schema/bench-result.schema.json", import.meta.url);

let compiled: ValidateFunction<BenchResult> | undefined;

function validator(): ValidateFunction<BenchResult> {
  compiled ??= new Ajv2020().compile<BenchResult>(JSON.parse(readFileSync(SCHEMA, "utf8")));
  return compiled;
}

/**
 * A value as a result, if it is one.
 * @param from Where it comes from, for the message.
 * @throws INVALID_ARGUMENT with the path of the first value that does not fit.
 */
export function checkResult(value: unknown, from: string): BenchResult {
  const validate = validator();
  if (validate(value)) return value;
  const [error] = validate.errors ?? [];
  const path = (error?.instancePath ?? "")
    .replaceAll(/\/(\d+)/g, "[$1]")
    .replaceAll("/", ".")
    .slice(1);
  const what = error?.keyword === "const" ? "must be 1, the version that this headrace reads" : error?.message;
  throw new InvalidArgumentError(`is not a result of headrace bench: ${path === "" ? "it" : path} ${what}`, {
    path: from,
  });
}

/** Throws INVALID_ARGUMENT with the file's name when there is no such file, or it is not a result. */
export async function readResult(file: string): Promise<BenchResult> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw fileError(file, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`is not JSON: ${error instanceof Error ? error.message : error}`, { path: file });
  }
  return checkResult(value, file);
}
