/** A model configuration in JSON, as the `config` parameter of a load request has it, as a tree of fields. */
import { shown } from "../shown.js";
import { configError } from "./config-error.js";
import { type ConfigNode, MAX_CONFIG_DEPTH, type MessageNode } from "./text-format.js";

/**
 * @param path What errors call the text; they have the path of the value as well.
 * @throws HeadraceError MODEL_INVALID, whatever the text is.
 */
export function parseJsonConfig(text: string, path: string): MessageNode {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw configError(path, `not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  const node = nodeOf(value, path, 0);
  if (node.kind === "message") return node;
  throw configError(path, `expected an object, got ${shown(value)}`);
}

function nodeOf(value: unknown, where: string, depth: number): ConfigNode {
  if (depth > MAX_CONFIG_DEPTH) throw configError(where, `nested deeper than ${MAX_CONFIG_DEPTH}`);
  if (typeof value === "string") return { kind: "string", where, text: value };
  if (typeof value === "number") return { kind: "number", where, text: String(value) };
  if (typeof value === "boolean") return { kind: "word", where, text: String(value) };
  if (Array.isArray(value)) {
    return { kind: "list", where, items: value.map((item, index) => nodeOf(item, `${where}[${index}]`, depth + 1)) };
  }
  // Protobuf's JSON writes null for what is not there.
  const entries = Object.entries(value ?? {}).filter(([, item]) => item !== null);
  const fields = entries.map(([name, item]) => {
    const place = `${where}.${name}`;
    return { name, where: place, value: nodeOf(item, place, depth + 1) };
  });
  return { kind: "message", where, fields };
}
