/** Results as JSON Lines: whole lines, on the disk when closed, errors with the path. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { FileSink } from "../../src/sinks/file.js";
import { Integer, Tensor, tensor } from "../../src/types/index.js";
import { fakeItem, sinkContract } from "../contract/sink-contract.js";

const outputs = { output: Integer(), vector: Tensor("FP32", [-1, 2]) };
const never = new AbortController().signal;
const dir = t.testdir({ folder: {} });
/** Linux has a file that is always full. */
const FULL = "/dev/full";

async function linesOf(path: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(path, "utf8");
  t.ok(text === "" || text.endsWith("\n"), "whole lines");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

let files = 0;
const paths = new WeakMap<FileSink, string>();
function make(): FileSink {
  const path = join(dir, `${++files}.jsonl`);
  const sink = new FileSink({ path });
  paths.set(sink, path);
  return sink;
}

for (const { name, run } of sinkContract({
  outputs,
  make,
  written: async (sink) => (await linesOf(paths.get(sink) ?? "")).map(({ sequence }) => Number(sequence)),
  makeBroken: () => new FileSink({ path: join(dir, "nowhere", "x.jsonl") }),
  ...(existsSync(FULL) ? { makeFailing: () => new FileSink({ path: FULL }) } : {}),
})) {
  t.test(`FileSink ${name}`, run);
}

t.test("a line has the outputs as plain REST has them, and where they come from", async (t) => {
  const path = join(t.testdir(), "out.jsonl");
  const sink = new FileSink({ path });
  await sink.open({ ref: "out", outputs });
  const vector = tensor(Float32Array.of(1.5, Number.NaN), [1, 2]);
  const item = { source: "cam", stateId: "s", sequence: 4, capturedAt: 10, predictedAt: 12 };
  await sink.write({ ...item, outputs: { output: 7, vector } }, never);
  await sink.close();
  t.same(await linesOf(path), [{ ...item, outputs: { output: 7, vector: [[1.5, "NaN"]] } }]);
});

t.test("append goes on after what is there, truncate begins anew", async (t) => {
  const path = join(t.testdir({ "out.jsonl": '{"old":true}\n' }), "out.jsonl");
  const write = async (mode: "append" | "truncate", sequence: number): Promise<void> => {
    const sink = new FileSink({ path, mode });
    await sink.open({ ref: "out", outputs });
    await sink.write(fakeItem(outputs, sequence), never);
    await sink.close();
  };
  await write("append", 1);
  t.match(await linesOf(path), [{ old: true }, { sequence: 1 }]);
  await write("truncate", 2);
  t.match(await linesOf(path), [{ sequence: 2 }]);
  await write("append", 3);
  t.match(await linesOf(path), [{ sequence: 2 }, { sequence: 3 }]);
});

t.test("errors name the file", async (t) => {
  const missing = join(dir, "nowhere", "x.jsonl");
  await t.rejects(new FileSink({ path: missing }).open({ ref: "out", outputs }), { code: "NOT_FOUND", path: missing });
  const folder = join(dir, "folder");
  await t.rejects(new FileSink({ path: folder }).open({ ref: "out", outputs }), {
    code: "INVALID_ARGUMENT",
    path: folder,
  });
  await t.rejects(new FileSink({ path: missing }).write(fakeItem(outputs, 0), never), {
    code: "UNAVAILABLE",
    path: missing,
  });
  const sink = make();
  await sink.open({ ref: "out", outputs });
  const wrong = { ...fakeItem(outputs, 3), outputs: { output: 1, vector: 2n } };
  await t.rejects(sink.write(wrong, never), { code: "INVALID_ARGUMENT", message: /item 3 of 'source'/ });
  await sink.close();
  t.throws(() => new FileSink({ path: "" }), { code: "INVALID_ARGUMENT", path: "FileSink.path" });
  t.throws(() => new FileSink({ path: "x", mode: "over" as "append" }), {
    code: "INVALID_ARGUMENT",
    path: "FileSink.mode",
  });
});

t.test("a full disk", { skip: existsSync(FULL) ? false : "no /dev/full here" }, async (t) => {
  const sink = new FileSink({ path: FULL });
  await sink.open({ ref: "out", outputs });
  await t.rejects(sink.write(fakeItem(outputs, 0), never), { code: "RESOURCE_EXHAUSTED", path: FULL });
  await sink.close();
});
