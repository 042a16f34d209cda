/** The configuration of served models, and what their queue policies do. */
import t from "tap";
import { onnxCell } from "../../../src/pipeline/index.js";
import { myPipeline } from "../../support/cells.js";
import { modelDirectory, serveDirectory } from "../../support/models.js";
import { fixture } from "../../support/paths.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";

const configOf = async (url: string, path: string) => (await fetch(`${url}/v2/models/${path}/config`)).json();

t.test("of any model, from what it is", async (t) => {
  const gru = await serve(t, await gruPipeline({ batching: { maxSize: 8 }, execution: "lanes", lanes: 2 }));
  const config = {
    name: "gru",
    platform: "onnxruntime_onnx",
    backend: "onnxruntime",
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: 8,
    input: [{ name: "input", data_type: "TYPE_FP32", dims: [512], format: "FORMAT_NONE" }],
    output: [{ name: "output", data_type: "TYPE_FP32", dims: [8] }],
    instance_group: [{ name: "gru_0", kind: "KIND_CPU", count: 2, gpus: [], profile: [] }],
    sequence_batching: {
      state: [{ input_name: "state", output_name: "stateN", data_type: "TYPE_FP32", dims: [64] }],
    },
    default_model_filename: "",
    parameters: {},
    model_transaction_policy: { decoupled: false },
  };
  t.same(await configOf(gru.url, "gru"), config);
  t.same(await configOf(gru.url, "gru/versions/1"), config);

  const strings = await serve(t, await modelPipeline(onnxCell({ name: "strings", model: fixture("strings") })));
  t.match(await configOf(strings.url, "strings"), {
    max_batch_size: 16,
    input: [{ data_type: "TYPE_STRING", dims: [2] }],
    dynamic_batching: {},
  });
  for (const [name, dims] of [
    ["no_batch", [1, 4]],
    ["time_major_fixed", [5, -1, 2]],
  ] as const) {
    const { url } = await serve(t, await modelPipeline(onnxCell({ name, model: fixture(name) })));
    const found = (await configOf(url, name)) as object;
    t.match(found, { max_batch_size: 0, input: [{ dims }] }, `${name}: no batch in front`);
  }
  const cells = await serve(t, myPipeline());
  t.match(await configOf(cells.url, "MyPipeline"), {
    platform: "headrace_pipeline",
    backend: "headrace",
    max_batch_size: 0,
    input: [{ name: "input", data_type: "TYPE_INT64", dims: [1] }],
    sequence_batching: {},
  });
});

t.test("of a model with a configuration of its own", async (t) => {
  const directory = await modelDirectory(t, {
    m: {
      config: `
        max_batch_size: 4
        input { name: "x" data_type: TYPE_FP32 dims: 3 format: FORMAT_NONE }
        dynamic_batching { preferred_batch_size: [ 2, 4 ] max_queue_delay_microseconds: 10 }
        instance_group { count: 2 kind: KIND_CPU }
        parameters { key: "who" value { string_value: "me" } }
      `,
      versions: { 3: fixture("identity_float") },
    },
  });
  const { url } = await serveDirectory(t, directory);
  t.match(await configOf(url, "m"), {
    max_batch_size: 4,
    dynamic_batching: { preferred_batch_size: [2, 4], max_queue_delay_microseconds: 10 },
    instance_group: [{ count: 2, kind: "KIND_CPU" }],
    parameters: { who: { string_value: "me" } },
    default_model_filename: "model.onnx",
    input: [{ dims: [3] }],
  });
});

t.test("requests get the timeout of the model's queue policy", async (t) => {
  const policy = (more: string) => `
    dynamic_batching { default_queue_policy { default_timeout_microseconds: 30000000 ${more} } }
    instance_group { count: 1 }
    parameters { key: "headrace.execution" value { string_value: "lanes" } }`;
  const short = policy("").replace("30000000", "20000");
  const versions = { 1: fixture("busy") };
  const directory = await modelDirectory(t, {
    short: { config: short, versions },
    long: { config: policy(""), versions },
    open: { config: policy("allow_timeout_override: true"), versions },
  });
  const { url } = await serveDirectory(t, directory);
  const status = async (model: string, trips: number, timeout?: number) => {
    const body = {
      ...(timeout === undefined ? {} : { parameters: { timeout } }),
      inputs: [{ name: "trips", datatype: "INT64", shape: [1], data: [trips] }],
    };
    return (await fetch(`${url}/v2/models/${model}/infer`, { method: "POST", body: JSON.stringify(body) })).status;
  };
  const [quick, forever] = [1, 400_000];
  t.equal(await status("short", forever), 504, "what asks for none has the model's");
  t.equal(await status("short", forever, 60_000_000), 504, "and so has what asks for more");
  t.equal(await status("open", forever, 10_000), 504, "less may be asked for");
  t.equal(await status("long", quick, 1), 200, "unless it may not");
});

t.test("priorities are those that the model has", async (t) => {
  const config = "dynamic_batching { priority_levels: 2 default_priority_level: 2 }";
  const { url } = await serveDirectory(
    t,
    await modelDirectory(t, { m: { config, versions: { 1: fixture("identity_float") } } }),
  );
  for (const priority of [0, 1, 2, 3, 1000]) {
    const body = {
      parameters: { priority },
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 3], data: [1, 2, 3] }],
    };
    const { status } = await fetch(`${url}/v2/models/m/infer`, { method: "POST", body: JSON.stringify(body) });
    t.equal(status, 200, `priority ${priority}`);
  }
});
