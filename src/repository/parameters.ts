/** The `parameters` of a config.pbtxt that are Headrace's own: what Triton's fields have no words for. */
import type { OnnxConstant, OnnxContextOption } from "../pipeline/index.js";
import { suggestion } from "../plugins/nearest.js";
import { shown } from "../shown.js";
import { configError } from "./config-error.js";
import type { ModelConfig } from "./model-config.js";

const PREFIX = "headrace.";
const NAMED = ["constant", "context"] as const;
const PLAIN = ["execution", "max_states", "state_ttl_seconds", "evict"] as const;
/** Triton's own of its backend for ONNX Runtime. */
const INTRA_OP = "intra_op_thread_count";
const KNOWN = [...NAMED.map((name) => `${PREFIX}${name}.INPUT`), ...PLAIN.map((name) => PREFIX + name)];

/** What they come to; of `onnxCell`. */
export interface OwnParameters {
  readonly constants: Readonly<Record<string, OnnxConstant>>;
  readonly context: Readonly<Record<string, number | OnnxContextOption>>;
  readonly execution?: "auto" | "inline" | "lanes";
  readonly intraOpThreads?: number;
  readonly maxStates?: number;
  readonly stateTtlSeconds?: number;
  readonly evict?: "refuse" | "lru";
}

/** @throws HeadraceError MODEL_INVALID for a name that begins with `headrace.` and is not known, or a value that does not fit. */
export function ownParameters({ config, places }: ModelConfig): OwnParameters {
  const constants: Record<string, OnnxConstant> = {};
  const context: Record<string, number> = {};
  const rest: { -readonly [K in keyof OwnParameters]?: OwnParameters[K] } = {};
  for (const [key, { string_value = "" }] of Object.entries(config.parameters ?? {})) {
    const where = `${places.of(config, "parameters")}: ${key}`;
    // 0 leaves it to the backend, there as here.
    if (key === INTRA_OP && string_value !== "0") rest.intraOpThreads = count(string_value, where);
    if (!key.startsWith(PREFIX)) continue;
    const [, kind = "", name = ""] = /^([a-z_]+)(?:\.(.+))?$/.exec(key.slice(PREFIX.length)) ?? [];
    if (kind === "constant" && name !== "") constants[name] = constant(string_value);
    else if (kind === "context" && name !== "") context[name] = count(string_value, where);
    else if (name !== "") throw unknown(key, where);
    else if (kind === "execution") rest.execution = oneOf(string_value, ["auto", "inline", "lanes"], where);
    else if (kind === "evict") rest.evict = oneOf(string_value, ["refuse", "lru"], where);
    else if (kind === "max_states") rest.maxStates = count(string_value, where);
    else if (kind === "state_ttl_seconds") rest.stateTtlSeconds = seconds(string_value, where);
    else throw unknown(key, where);
  }
  return { ...rest, constants, context };
}

function unknown(key: string, where: string): Error {
  return configError(where, `there is no such parameter; ${suggestion(key, KNOWN)}`);
}

function constant(text: string): OnnxConstant {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return text.trim() === "" || Number.isNaN(number) ? text : number;
}

function count(text: string, where: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1) return value;
  throw configError(where, `expected an integer of at least 1, got ${shown(text)}`);
}

function seconds(text: string, where: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw configError(where, `expected a number of seconds above 0, got ${shown(text)}`);
}

function oneOf<const T extends string>(text: string, choices: readonly T[], where: string): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw configError(where, `expected one of ${choices.join(", ")}, got ${shown(text)}`);
}
