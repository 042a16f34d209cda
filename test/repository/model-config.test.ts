/** config.pbtxt: what is heeded, what is ignored and said so, and what is refused with its line. */
import t from "tap";
import { readModelConfig } from "../../src/repository/model-config.js";
import { modelSettings } from "../../src/repository/settings.js";
import { v2Config } from "../../src/repository/v2-config.js";

const read = (text: string) => readModelConfig({ kind: "pbtxt", text, label: "m/config.pbtxt" }, "m");
const readJson = (json: unknown) => readModelConfig({ kind: "json", text: JSON.stringify(json), label: "config" }, "m");
const settings = (text: string) => modelSettings(read(text));

const SIMPLE = `
name: "m"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [
  { name: "INPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
  { name: "INPUT1" data_type: TYPE_INT32 dims: [ 16 ] format: FORMAT_NONE }
]
output { name: "OUTPUT0" data_type: TYPE_INT32 dims: 16 label_filename: "labels.txt" }
output { name: "OUTPUT1" data_type: TYPE_STRING dims: 4 dims: -1 }
version_policy: { latest { num_versions: 2 } }
`;

t.test("a configuration as people write it", async (t) => {
  const { config, file, ignored } = read(SIMPLE);
  t.equal(file, "model.onnx");
  t.same(config, {
    name: "m",
    platform: "onnxruntime_onnx",
    max_batch_size: 8,
    input: [
      { name: "INPUT0", data_type: "TYPE_INT32", dims: [16] },
      { name: "INPUT1", data_type: "TYPE_INT32", dims: [16], format: "FORMAT_NONE" },
    ],
    output: [
      { name: "OUTPUT0", data_type: "TYPE_INT32", dims: [16] },
      { name: "OUTPUT1", data_type: "TYPE_STRING", dims: [4, -1] },
    ],
    version_policy: { latest: { num_versions: 2 } },
  });
  t.same(ignored, [
    { where: "m/config.pbtxt:9", field: "label_filename", why: "the classification extension is not supported" },
  ]);
});

t.test("JSON says the same, in protobuf's way or with the names of the file", async (t) => {
  const expected = read(SIMPLE).config;
  const input = (name: string, more = {}) => ({ name, data_type: "TYPE_INT32", dims: ["16"], ...more });
  const json = {
    name: "m",
    platform: "onnxruntime_onnx",
    maxBatchSize: 8,
    input: [input("INPUT0", { reshape: null, optional: false }), input("INPUT1", { format: 0 })],
    output: [
      { name: "OUTPUT0", dataType: 8, dims: [16] },
      { name: "OUTPUT1", data_type: "TYPE_STRING", dims: [4, -1] },
    ],
    version_policy: { latest: { numVersions: 2 } },
    batch_input: [],
    optimization: {},
    parameters: {},
  };
  t.same(readJson(json).config, { ...expected, parameters: {} });
  const message = /^config\.input\[0\]\.dims\[0\]: dims: expected a number \(int64\), got "x"$/;
  t.throws(() => readJson({ input: [{ dims: ["x"] }] }), { message });
  t.throws(() => readModelConfig({ kind: "json", text: "{", label: "config" }, "m"), { message: /^config: not JSON/ });
  t.throws(() => readModelConfig({ kind: "json", text: "[]", label: "config" }, "m"), {
    message: /expected an object/,
  });
  const deep = `{"input":${"[".repeat(100)}${"]".repeat(100)}}`;
  t.throws(() => readModelConfig({ kind: "json", text: deep, label: "config" }, "m"), { message: /nested deeper/ });
});

t.test("scheduling", async (t) => {
  t.match(settings("dynamic_batching { }"), { cell: { batching: {} }, policy: { timeoutMicros: 0 } });
  const dynamic = settings(`
    max_batch_size: 16
    dynamic_batching {
      preferred_batch_size: [ 4, 8 ]
      max_queue_delay_microseconds: 100
      priority_levels: 3
      default_priority_level: 2
      default_queue_policy { timeout_action: REJECT default_timeout_microseconds: 5000 allow_timeout_override: true max_queue_size: 50 }
    }
    instance_group [ { count: 2 kind: KIND_CPU }, { kind: KIND_AUTO } ]
  `);
  t.same(dynamic, {
    cell: {
      constants: {},
      context: {},
      batching: { maxSize: 16, maxDelayMicros: 100 },
      lanes: 3,
      queueSize: 50,
    },
    policy: { timeoutMicros: 5000, allowTimeoutOverride: true, priorityLevels: 3, defaultPriority: 2 },
  });
  const sequences = settings(`
    max_batch_size: 0
    sequence_batching {
      max_sequence_idle_microseconds: 2500000
      oldest { max_candidate_sequences: 7 max_queue_delay_microseconds: 20 }
    }
  `);
  t.same(sequences.cell, {
    constants: {},
    context: {},
    batching: { maxSize: 1, maxDelayMicros: 20 },
    stateTtlSeconds: 2.5,
    maxStates: 7,
  });
  const direct = (text: string) => settings(`sequence_batching { direct { ${text} } }`).cell.batching;
  t.same(direct("max_queue_delay_microseconds: 9"), {}, "without a wanted utilisation Triton does not wait either");
  t.same(direct("max_queue_delay_microseconds: 9 minimum_slot_utilization: 0.5"), { maxDelayMicros: 9 });
});

t.test("parameters of Headrace's own", async (t) => {
  const parameter = (key: string, value: string) => `parameters { key: "${key}" value { string_value: "${value}" } }\n`;
  const text =
    parameter("headrace.constant.sr", "16000") +
    parameter("headrace.constant.scale", "0.5") +
    parameter("headrace.context.input", "64") +
    parameter("headrace.execution", "lanes") +
    parameter("headrace.max_states", "12") +
    parameter("headrace.state_ttl_seconds", "1.5") +
    parameter("headrace.evict", "lru") +
    parameter("somebody_else", "anything");
  t.same(settings(text).cell, {
    constants: { sr: 16000n, scale: 0.5 },
    context: { input: 64 },
    execution: "lanes",
    maxStates: 12,
    stateTtlSeconds: 1.5,
    evict: "lru",
    batching: {},
  });
  t.match(v2Config(read(text)), { parameters: { somebody_else: { string_value: "anything" } } });
  for (const [key, value, message] of [
    ["headrace.max_state", "1", /there is no such parameter; did you mean 'headrace.max_states'/],
    ["headrace.max_states", "none", /expected an integer of at least 1/],
    ["headrace.execution", "fast", /expected one of auto, inline, lanes/],
    ["headrace.evict.x", "lru", /there is no such parameter/],
  ] as const) {
    t.throws(() => settings(parameter(key, value)), { code: "MODEL_INVALID", message });
  }
});

t.test("what is refused, with its place", async (t) => {
  const wrong: [string, RegExp][] = [
    ["max_batch_sizes: 4", /config\.pbtxt:1: there is no field 'max_batch_sizes' here; did you mean 'max_batch_size'/],
    ["\n\ninput { dim: 4 }", /:3: there is no field 'dim' here; did you mean 'dims'/],
    ['max_batch_size: "4"', /:1: max_batch_size: expected a number \(int32\), got "4"/],
    ["max_batch_size: 4.5", /expected a number/],
    ["max_batch_size: 4000000000", /expected a number \(int32\), got 4000000000/],
    ["max_batch_size: -1", /:1: expected 0 or more, got -1/],
    ["max_batch_size: 1 max_batch_size: 2", /max_batch_size is there already/],
    ["max_batch_size: [1]", /is one value, not a list/],
    ["name: m", /name: expected a string in quotes, got m/],
    ['name: "other"', /the model is called 'other', but its folder 'm'/],
    ['input { data_type: "TYPE_FP32" }', /data_type: expected one of .*, got "TYPE_FP32"; without quotes/],
    ["input { data_type: TYPE_FLOAT }", /expected one of TYPE_INVALID, TYPE_BOOL/],
    ["input { dims: [1] reshape { shape: [] } }", /reshape is not supported/],
    ["input { optional: true }", /optional is not supported: ONNX Runtime needs every input/],
    ["input { allow_ragged_batch: true }", /allow_ragged_batch is not supported/],
    ["input: 4", /expected a message in \{ \}, got 4/],
    ["dynamic_batching { } sequence_batching { }", /sequence_batching excludes dynamic_batching/],
    ["version_policy { all { } latest { } }", /excludes/],
    ["ensemble_scheduling { step { } }", /ensemble_scheduling is not supported/],
    ["batch_input { kind: BATCH_ELEMENT_COUNT }", /batch_input is not supported/],
    ["model_transaction_policy { decoupled: true }", /decoupled is not supported/],
    ["model_repository_agents { agents { name: 'checksum' } }", /there are no agents/],
    ['platform: "tensorrt_plan"', /platform 'tensorrt_plan' is not supported/],
    ['backend: "python"', /backend 'python' is not supported/],
    ['default_model_filename: "../../x.onnx"', /:1: expected the name of a file in the version's folder/],
    ['default_model_filename: "/etc/passwd"', /expected the name of a file/],
    ['default_model_filename: ".."', /expected the name of a file/],
    ["parameters { key: 'x' }", /expected \{ key: "…" value \{ … \} \}/],
  ];
  for (const [text, message] of wrong) t.throws(() => read(text), { code: "MODEL_INVALID", message }, text);
  const unusable: [string, RegExp][] = [
    ["instance_group {\n kind: KIND_GPU }", /:2: this build runs models on the CPU/],
    ["instance_group { gpus: [ 0 ] }", /runs models on the CPU/],
    ["instance_group { count: 300 }", /at most 256/],
    ["dynamic_batching { default_queue_policy { timeout_action: DELAY } }", /DELAY is not supported/],
    ["dynamic_batching { priority_levels: 2 }", /expected a level from 1 to priority_levels \(2\), got 0/],
    ["dynamic_batching { default_priority_level: 1 }", /expected a level/],
    ["dynamic_batching { priority_levels: 300 default_priority_level: 1 }", /at most 255 levels/],
    ["sequence_batching { oldest { max_candidate_sequences: 0 } }", /expected 1 or more/],
  ];
  for (const [text, message] of unusable) t.throws(() => settings(text), { code: "MODEL_INVALID", message }, text);
});

t.test("every field of a full configuration is known, and the ignored ones are told", async (t) => {
  const { ignored } = read(`
    runtime: "libtriton_onnxruntime.so"
    optimization { graph { level: 1 } execution_accelerators { cpu_execution_accelerator [ { name: "openvino" } ] } }
    cc_model_filenames { key: "7.5" value: "model75.onnx" }
    metric_tags { key: "team" value: "speech" }
    model_warmup [ { name: "w" batch_size: 1 inputs { key: "x" value: { data_type: TYPE_FP32 dims: [ 4 ] zero_data: true } } } ]
    response_cache { enable: true }
    model_metrics { metric_control { metric_identifier { family: "f" } histogram_options { buckets: [ 1, 2.5 ] } } }
    instance_group { count: 1 kind: KIND_CPU host_policy: "cpu" rate_limiter { priority: 2 } profile: "0" passive: false }
    dynamic_batching { preserve_ordering: true priority_queue_policy { key: 1 value { max_queue_size: 1 } } }
  `);
  t.same(
    ignored.map(({ field }) => field),
    [
      "runtime",
      "optimization",
      "cc_model_filenames",
      "metric_tags",
      "model_warmup",
      "response_cache",
      "model_metrics",
      "host_policy",
      "rate_limiter",
      "profile",
      "preserve_ordering",
      "priority_queue_policy",
    ],
  );
  t.ok(ignored.every(({ where, why }) => /config\.pbtxt:\d+$/.test(where) && why.length > 10));
});
