/** docs/observability.md and the Grafana dashboard name what a real server tells, all of it and nothing else. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { GrpcDriver } from "../../src/drivers/grpc/index.js";
import { HttpDriver } from "../../src/drivers/http/index.js";
import { SourceSinkDriver } from "../../src/drivers/source-sink/index.js";
import { StressDriver } from "../../src/drivers/stress/index.js";
import { defineCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Inference, init } from "../../src/runtime/index.js";
import { DummySink } from "../../src/sinks/dummy.js";
import { DummySource } from "../../src/sources/dummy.js";
import { Integer } from "../../src/types/index.js";
import { GrpcTestClient, gruRequest, V2 } from "../support/grpc.js";
import { parseMetrics } from "../support/metrics.js";
import { ROOT } from "../support/paths.js";
import { gruPipeline } from "../support/serve.js";

const Unlucky = defineCell({
  name: "Unlucky",
  inputs: { x: Integer() },
  outputs: { y: Integer() },
  call() {
    throw new Error("unlucky");
  },
});

/** One of each driver, on a model and on a function cell, and something of all that is counted. */
async function metricsText(): Promise<string> {
  const runtime = await init();
  t.teardown(() => runtime.stop({ timeoutMs: 1 }));
  const gru = await runtime.startInference(new Inference({ pipeline: await gruPipeline() }));
  const web = await gru.addDriver("web", HttpDriver, { port: 0 });
  const { port } = web.getService("http").taggedAddresses.lan;
  const sink = new DummySink();
  const grpc = await gru.addDriver("grpc", GrpcDriver, { port: 0 });
  const grpcPort = grpc.getService("grpc").taggedAddresses.lan.port;
  await new GrpcTestClient(t, grpcPort, V2).call("ModelInfer", gruRequest(1));
  await gru.addDriver("files", SourceSinkDriver, {
    sources: { in: { source: new DummySource({ count: 1 }) } },
    sinks: { out: { sink } },
    endWithSources: false,
  });
  const factory = new PipelineFactory({ name: "unlucky" });
  const cell = factory.addCell("cell", Unlucky);
  const pipeline = factory.declareInput("x", cell.inputs.x).declareOutput("y", cell.outputs.y).build();
  const unlucky = await runtime.startInference(new Inference({ pipeline }));
  await unlucky.addDriver("web", HttpDriver, { port });
  const stress = await unlucky.addDriver("load", StressDriver, { concurrency: 1 });
  while (stress.statistics().failed === 0) await new Promise((resolve) => setImmediate(resolve));
  const url = `http://127.0.0.1:${port}`;
  await fetch(`${url}/v2/models/gru/infer`, { method: "POST", body: "{}" });
  const response = await fetch(`${url}/metrics`, { headers: { Accept: "application/openmetrics-text" } });
  return response.text();
}

const text = await metricsText();

/** Name, type and labels as the page has them: those that a whole table shares are in the sentence above it. */
async function documented(): Promise<string[]> {
  const page = await readFile(join(ROOT, "docs", "observability.md"), "utf8");
  const names = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
  let shared: string[] = [];
  const found: string[] = [];
  for (const line of page.split("\n")) {
    if (line.startsWith("### ")) shared = [];
    if (line.startsWith("All have the labels")) shared = names(line.split(",").slice(0, 2).join(","));
    const [, metric = "", type = "", labels = ""] =
      /^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) ?\| /.exec(line) ?? [];
    if (metric !== "") found.push(`${metric} ${type} ${[...shared, ...names(labels)].sort().join(",")}`);
  }
  return found.sort();
}

/** The same of what the server told. */
function told(): string[] {
  const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  const lines = parseMetrics(text);
  const suffixes: Record<string, string> = { counter: "_total", gauge: "", histogram: "_count" };
  return types
    .map(([, name = "", type = ""]) => {
      const samples = lines.filter((line) => line.name === name + (suffixes[type] ?? "?"));
      const labels = new Set(samples.map((sample) => Object.keys(sample.labels).sort().join(",")));
      t.equal(labels.size, 1, `${name}: all samples have the same labels`);
      return `${name} ${type} ${[...labels][0]}`;
    })
    .sort();
}

t.test("the page", async (t) => {
  const page = await documented();
  t.ok(page.length > 40);
  t.same(told(), page);
});

t.test("every family has help; one with a unit is named after it", async (t) => {
  for (const [, name = ""] of text.matchAll(/^# TYPE (\w+)/gm)) {
    t.match(text, new RegExp(`^# HELP ${name} [A-Z0-9].*\\.$`, "m"), name);
    const [, unit] = /_(microseconds|seconds|bytes)$/.exec(name) ?? [];
    if (unit !== undefined && !name.startsWith("headrace_driver_")) t.match(text, `# UNIT ${name} ${unit}\n`);
  }
});

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

t.test("the dashboard", async (t) => {
  const json = await readFile(join(ROOT, "docs", "grafana", "headrace.json"), "utf8");
  const { panels, templating } = JSON.parse(json) as {
    panels: Panel[];
    templating: { list: { definition?: string }[] };
  };
  const known = new Set(parseMetrics(text).map(({ name }) => name));
  const labels = new Set(parseMetrics(text).flatMap((line) => Object.keys(line.labels)));
  // What the scraper adds.
  for (const label of ["job", "instance"]) labels.add(label);
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  queries.push(...templating.list.flatMap(({ definition }) => definition ?? []));
  t.ok(queries.length > 30);
  for (const query of queries) {
    const metrics = [...query.matchAll(/\b(?:headrace|process)_\w+/g)].map(([name]) => name);
    t.ok(metrics.length > 0, query);
    for (const name of metrics) t.ok(known.has(name), name);
    const used = [
      ...[...query.matchAll(/(\w+)(?:=~|!=|!~|=)"/g)].map(([, label = ""]) => label),
      ...[...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/, */)),
    ];
    for (const label of used) t.ok(labels.has(label), `${label} in ${query}`);
    t.equal(query.split("(").length, query.split(")").length, "as many ( as )");
  }
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length, "each panel has an id of its own");
  for (const { title, gridPos } of panels) t.ok(gridPos.x + gridPos.w <= 24, title);
  for (const [index, one] of panels.entries()) {
    const { x, y, w, h } = one.gridPos;
    const over = panels.slice(index + 1).find(({ gridPos }) => {
      const apart =
        gridPos.x >= x + w || x >= gridPos.x + gridPos.w || gridPos.y >= y + h || y >= gridPos.y + gridPos.h;
      return !apart;
    });
    t.equal(over, undefined, `nothing lies over ${one.title}`);
  }
});
