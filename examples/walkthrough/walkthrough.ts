// # A walk through Headrace
//
// From a cell to a pipeline, from a pipeline to a process, and from there to the world, through drivers. Every line of
// this page runs: `npm run walkthrough`.

import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DriverNotFoundError,
  defineCell,
  Inference,
  Integer,
  InvalidArgumentError,
  init,
  PipelineDriver,
  PipelineFactory,
  type RestrictedInferenceProcess,
  ServiceNotFoundError,
} from "headrace";
import { HeadraceClient } from "headrace/client";
import { HttpDriver } from "headrace/drivers/http";
import { SourceSinkDriver, type SourceSinkStatistics } from "headrace/drivers/source-sink";
import { StressDriver } from "headrace/drivers/stress";
import { DummySink } from "headrace/sinks/dummy";
import { FileSink } from "headrace/sinks/file";
import { DummySource } from "headrace/sources/dummy";
import { equal, rejects, same, say, throws } from "./check.js";

// ## A cell
//
// A cell is one typed step: inputs, outputs, parameters that can be set from outside, and state, of which there is one for
// each _state id_. This one is a function; a cell can also be an ONNX model, whose state never leaves native memory.

const MyCell = defineCell({
  name: "MyCell",
  inputs: { integer: Integer({ title: "Dummy input", description: "Some dummy input" }) },
  outputs: { integer: Integer(), counter: Integer({ description: "Prediction counter" }) },
  parameters: { adder: Integer({ default: 1, title: "Adder" }) },
  state: { counter: Integer({ default: 0 }) },
  call({ inputs, parameters, state }) {
    state.counter += 1;
    return { integer: inputs.integer + parameters.adder, counter: state.counter };
  },
});

// ## A pipeline
//
// Cells between a virtual source, the declared inputs, and a virtual sink, the declared outputs. The types of both are
// known to the compiler from here on.

const factory = new PipelineFactory({ name: "MyPipeline" });
const myCell = factory.addCell("my-cell", MyCell);
const pipeline = factory
  .declareInput("input", myCell.inputs.integer)
  .declareOutput("output", myCell.outputs.integer)
  .declareOutput("counter", myCell.outputs.counter)
  .build();

// A pipeline can be drawn, and is plain data for tools.

const svg = await pipeline.toSVG();
equal(svg.includes("MyPipeline"), true);
equal(pipeline.toJSON().cells["my-cell"]?.state, ["counter"]);

// ## A process
//
// A runtime starts it. `init("debug")` runs everything in this thread, one cell after the other, and logs each step;
// `init("local")` gives models threads of their own.

const runtime = await init("local");
const proc = await runtime.startInference(new Inference({ pipeline, parameters: { "my-cell": { adder: 2 } } }));

same(await proc.predict({ input: 1 }, { stateId: "camera-7" }), { output: 3, counter: 1 });
same(await proc.predict({ input: 5 }, { stateId: "camera-7" }), { output: 7, counter: 2 });
same(await proc.predict({ input: 1 }, { stateId: "camera-8" }), { output: 3, counter: 1 });

// Without a state id a prediction stands by itself. What does not fit is refused with its path.

same(await proc.predict({ input: 1 }), { output: 3, counter: 1 });
await rejects(proc.predict({ input: 1.5 }), InvalidArgumentError, "inputs.input: expected an integer");

// Parameters of cells change between two steps; the state stays.

proc.setParameters("my-cell", { adder: 10 });
same(await proc.predict({ input: 1 }, { stateId: "camera-7" }), { output: 11, counter: 3 });

// A stream can move: to another process, or past a restart.

const state = proc.exportState("camera-7");
proc.importState("camera-9", state);
same(await proc.predict({ input: 1 }, { stateId: "camera-9" }), { output: 11, counter: 4 });

// ## A driver: HTTP and WebSocket
//
// Drivers connect the process with the world. They are added, changed and removed while the pipeline stays loaded, and
// there may be many at a time. The runtime makes them: `addDriver` takes the class and its parameters.

const web = await proc.addDriver("webapi", HttpDriver, { port: 0 });
equal(web.status, "running");
const { address, port } = web.getService("http").taggedAddresses.lan;
say(`the web API listens on http://${address}:${port}`);
throws(() => web.getService("grpc"), ServiceNotFoundError, "driver 'webapi' offers no service 'grpc'");

const parameters = web.getParameters();
await web.setParameters({ ...parameters, taskTtlSeconds: 10 });
equal(web.getParameters().taskTtlSeconds, 10);

// A client predicts at once, or hands in a task and comes back for its result. `stream` is for many steps of one stream.

const client = new HeadraceClient({ process: web, model: "MyPipeline" });
await client.wait({ timeoutMs: 5000 });
same(await client.predict({ input: 1 }, { stateId: "door-1" }), { output: 11, counter: 1 });

const taskId = await client.predictTask({ input: 2 }, { stateId: "door-1" });
same(await client.taskResult(taskId), { output: 12, counter: 2 });

const stream = client.stream("door-1");
await stream.send({ input: { datatype: "INT64", shape: [1], data: BigInt64Array.of(3n) } });
const { value: answer } = await stream.next();
equal(answer?.counter?.data[0], 3n);
await stream.close();

// The same process, from here: it is the same stream.

same(await proc.predict({ input: 0 }, { stateId: "door-1" }), { output: 10, counter: 4 });

// ## A driver: from sources to sinks
//
// Each source is a stream with a state id of its own. Here one makes up its items; cameras, files and brokers are others.

const kept = new DummySink({ keep: 3 });
const file = join(tmpdir(), `headrace-walkthrough-${process.pid}.jsonl`);
const flow = await proc.addDriver("flow", SourceSinkDriver, {
  sources: {
    left: { source: new DummySource({ count: 100, seed: 1 }) },
    right: { source: new DummySource({ count: 50, seed: 2 }), whenFull: "drop-oldest", queueSize: 64 },
  },
  sinks: { kept: { sink: kept, from: ["left"] }, file: { sink: new FileSink({ path: file }) } },
});
await flow.ended();
equal(flow.status, "stopped");
const { sources } = flow.statistics() as unknown as SourceSinkStatistics;
equal([sources.left?.out, sources.right?.out], [100, 50]);
equal(sources.left?.status, "ended");
equal(kept.items.length, 3);

const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
equal(lines.length, 150);
await rm(file);

// ## A driver of one's own
//
// A driver has parameters, may ask for resources, starts, runs until it is stopped, and stops.

interface TickParameters {
  count: number;
}

class TickDriver extends PipelineDriver<TickParameters> {
  private last: Readonly<Record<string, unknown>> = {};
  private readonly stopping = new AbortController();

  override resourcesRequest() {
    return { ports: ["dummy-port"] };
  }

  override async run(inference: RestrictedInferenceProcess): Promise<void> {
    const { count = 3 } = this.options;
    for (let i = 0; i < count && !this.stopping.signal.aborted; ++i) {
      this.last = await inference.predict({ input: i }, { stateId: "ticks" });
    }
  }

  override async stop(): Promise<void> {
    this.stopping.abort();
  }

  override statistics() {
    return { last: this.last };
  }
}

const ticks = await proc.addDriver("ticks", TickDriver, { count: 5 }, { restart: "on-failure" });
await ticks.ended();
same(ticks.statistics(), { last: { output: 14, counter: 5 } });

// One that comes with Headrace puts load on a pipeline, and tells how long predictions take.

const stress = await proc.addDriver("stress", StressDriver, { count: 1000, concurrency: 16, stateIds: 100 });
await stress.ended();
equal(stress.statistics().predictions, 1000);

// ## Leaving
//
// Drivers are found by name or pid, and removed; the process goes on. Stopping the runtime stops everything.

equal(proc.getDriver("webapi"), web);
equal(
  proc.listDrivers().map(({ ref }) => ref),
  ["webapi"],
);
await proc.removeDriver(web.pid);
throws(() => proc.getDriver("webapi"), DriverNotFoundError, "there is no driver 'webapi'");
same(await proc.predict({ input: 0 }, { stateId: "camera-7" }), { output: 10, counter: 4 });

await proc.stop();
await runtime.stop();
say("all of it ran");
