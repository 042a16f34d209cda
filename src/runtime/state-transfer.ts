/**
 * A stream's state as bytes, over all cells of a pipeline.
 *
 * Layout: "HRPS", u32 LE version, then one v8-serialised record: the pipeline's name, the engine's bytes of each ONNX cell,
 * the state of each function cell. The engine's bytes carry a fingerprint of their model and are checked by the engine.
 */
import { deserialize, serialize } from "node:v8";
import type { Engine } from "../engine/engine.js";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import type { CellStates, FunctionStates } from "./function-states.js";
import type { ModelCell } from "./model-cell.js";

const MAGIC = "HRPS";
const VERSION = 1;
const HEADER_BYTES = 8;

interface StateRecord {
  pipeline: string;
  models: Map<string, Uint8Array>;
  functions: CellStates | undefined;
}

function statefulModels(models: ReadonlyMap<string, ModelCell>): [string, ModelCell][] {
  return [...models].filter(([, cell]) => cell.engine.description.stateful);
}

export function encodeState(
  pipeline: string,
  stateId: string,
  models: ReadonlyMap<string, ModelCell>,
  functions: FunctionStates,
): Uint8Array {
  const record: StateRecord = {
    pipeline,
    models: new Map(statefulModels(models).map(([ref, cell]) => [ref, cell.engine.exportState(stateId)])),
    functions: functions.used ? functions.read(stateId) : undefined,
  };
  if (functions.used && record.functions === undefined) {
    throw new HeadraceError("NOT_FOUND", `there is no state '${stateId}'`);
  }
  const header = Buffer.alloc(HEADER_BYTES, MAGIC, "latin1");
  header.writeUInt32LE(VERSION, 4);
  return Buffer.concat([header, serialize(record)]);
}

/** All of it, or, where it throws, nothing. */
export function decodeState(
  pipeline: string,
  stateId: string,
  state: Uint8Array,
  models: ReadonlyMap<string, ModelCell>,
  functions: FunctionStates,
): void {
  const record = parseRecord(state);
  const wanted = statefulModels(models);
  if (record.pipeline !== pipeline || wanted.some(([ref]) => !record.models.has(ref))) {
    throw new InvalidArgumentError(`this state is of pipeline '${record.pipeline}', not of '${pipeline}'`, {
      path: "state",
    });
  }
  const states = functions.used ? functions.parse(record.functions, "state") : undefined;
  const undo: (() => void)[] = [];
  try {
    for (const [ref, { engine }] of wanted) {
      const bytes = record.models.get(ref);
      if (!(bytes instanceof Uint8Array)) throw new InvalidArgumentError("is damaged", { path: "state" });
      const before = stateOf(engine, stateId);
      engine.importState(stateId, bytes);
      undo.push(() => (before === undefined ? dropState(engine, stateId) : engine.importState(stateId, before)));
    }
    if (states !== undefined) functions.write(stateId, states);
  } catch (error) {
    for (const step of undo) step();
    throw error;
  }
}

function stateOf(engine: Engine, stateId: string): Uint8Array | undefined {
  try {
    return engine.exportState(stateId);
  } catch (error) {
    if (error instanceof HeadraceError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

export function dropState(engine: Engine, stateId: string): void {
  const key = engine.pin(stateId);
  engine.dropState(key);
  engine.unpin(key);
}

function parseRecord(state: Uint8Array): StateRecord {
  const bytes = Buffer.from(state.buffer, state.byteOffset, state.byteLength);
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, 4) !== MAGIC) {
    throw new InvalidArgumentError("these bytes are not an exported state", { path: "state" });
  }
  const version = bytes.readUInt32LE(4);
  if (version !== VERSION) {
    throw new InvalidArgumentError(`the state has version ${version}, this release reads ${VERSION}`, {
      path: "state",
    });
  }
  try {
    const record = deserialize(bytes.subarray(HEADER_BYTES)) as StateRecord;
    if (typeof record.pipeline === "string" && record.models instanceof Map) return record;
  } catch (cause) {
    throw new InvalidArgumentError("the exported state is damaged", { path: "state", cause });
  }
  throw new InvalidArgumentError("the exported state is damaged", { path: "state" });
}
