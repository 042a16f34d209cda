/** Infer requests that I/O threads answer by themselves: the same bytes as JavaScript answers, and nothing that is not theirs. */
import t, { type Test } from "tap";
import type { FixedDatatype } from "../../../src/datatype.js";
import { HttpDriver, type HttpParameters } from "../../../src/drivers/http/index.js";
import { NATIVE_CODES } from "../../../src/engine/surface.js";
import { onnxCell, type Pipeline } from "../../../src/pipeline/index.js";
import { Inference, type RequestPolicy } from "../../../src/runtime/index.js";
import type { InferCounts } from "../../../src/transport/index.js";
import { fixture } from "../../support/paths.js";
import { gruPipeline, modelPipeline, start } from "../../support/serve.js";
import { postHead, RawConnection } from "../../support/sockets.js";
import { gruInput } from "../../support/steps.js";

interface Body {
  readonly header: string;
  readonly tensors?: Buffer;
}

/** A served model, and how many of its requests the threads answered. */
class Server {
  private constructor(
    private readonly t: Test,
    readonly port: number,
    private readonly path: string,
    private readonly driver: HttpDriver,
    readonly process: { stats(): Readonly<Record<string, { liveStates: number }>> },
  ) {}

  static async open(
    t: Test,
    pipeline: Pipeline | Inference,
    parameters: Partial<HttpParameters> = {},
  ): Promise<Server> {
    const process = await start(t, pipeline);
    const driver = new HttpDriver({ port: 0, ...parameters });
    const running = await process.addDriver("web", () => driver);
    const { port } = running.getService("http").taggedAddresses.lan;
    return new Server(t, port, `/v2/models/${process.name}/infer`, driver, process);
  }

  get counts(): InferCounts {
    const { endpoint } = this.driver as unknown as { endpoint: { native?: { model: { inferCounts: InferCounts } } } };
    return endpoint.native?.model.inferCounts ?? { requests: 0, underWay: 0, byCode: [] };
  }

  /** The whole answer, but for its date; and whether a thread gave it. */
  async ask(
    { header, tensors }: Body,
    fields: Readonly<Record<string, string>> = {},
    path = this.path,
  ): Promise<{ text: string; isNative: boolean }> {
    const before = this.counts.requests;
    const connection = await RawConnection.open(this.t, this.port);
    const json = Buffer.from(header);
    const body = Buffer.concat([json, tensors ?? Buffer.alloc(0)]);
    const length = tensors === undefined ? {} : { "Inference-Header-Content-Length": json.byteLength };
    const head = postHead(path, { ...length, ...fields, "Content-Length": body.byteLength });
    await connection.write(Buffer.concat([Buffer.from(head), body]));
    const answer = await connection.answer();
    connection.socket.destroy();
    const { date, ...headers } = answer.headers;
    this.t.type(date, "string");
    const text = `${answer.status} ${JSON.stringify(headers)}\n${answer.body.toString("latin1")}`;
    return { text, isNative: this.counts.requests > before };
  }

  /** Asks thrice on each way, since what comes again is answered from what is known of it. */
  async same(body: Body, what: string): Promise<string> {
    let first: string | undefined;
    for (let turn = 0; turn < 3; ++turn) {
      const native = await this.ask(body);
      this.t.ok(native.isNative, `${what}: answered by a thread`);
      // Nothing is inflated, but somebody has to look.
      const javaScript = await this.ask(body, { "Content-Encoding": "identity" });
      this.t.notOk(javaScript.isNative, `${what}: answered by JavaScript`);
      this.t.equal(native.text, javaScript.text, what);
      first ??= native.text;
      this.t.equal(native.text, first);
    }
    return first ?? "";
  }

  async notNative(body: Body, what: string, fields: Readonly<Record<string, string>> = {}): Promise<string> {
    const { text, isNative } = await this.ask(body, fields);
    this.t.notOk(isNative, what);
    return text;
  }
}

function json(value: unknown): string {
  return JSON.stringify(value);
}

const bytesOf = (array: ArrayBufferView): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

const row = gruInput(1);
const input = (rows: number, more: object) => ({ name: "input", datatype: "FP32", shape: [rows, 512], ...more });
const binaryInput = (rows = 1) => input(rows, { parameters: { binary_data_size: rows * 2048 } });
const jsonInput = (rows = 1) => input(rows, { data: Array.from({ length: rows }, () => [...row]).flat() });
const tensors = (rows = 1) => Buffer.concat(Array.from({ length: rows }, () => bytesOf(row)));

t.test("every form of request and answer", async (t) => {
  const server = await Server.open(t, await gruPipeline());
  const outputs = (binary_data?: boolean) => [{ name: "output", parameters: { binary_data } }];
  const forms: object[] = [
    {},
    { id: "" },
    { id: "request 7 ü \u2028" },
    { id: null, outputs: null, parameters: null },
    { parameters: { binary_data_output: true } },
    { parameters: { binary_data_output: true }, outputs: outputs(false) },
    { parameters: { binary_data_output: false }, outputs: outputs(true), id: "1" },
    { parameters: { binary_data_output: true }, outputs: outputs() },
    { parameters: { priority: 3, timeout: 0, sequence_id: null } },
    { parameters: { priority: 1000, sequence_id: 0 } },
    { parameters: { sequence_id: "", sequence_start: false, sequence_end: false } },
  ];
  for (const [index, form] of forms.entries()) {
    for (const rows of [1, 3]) {
      const binary = { header: json({ ...form, inputs: [binaryInput(rows)] }), tensors: tensors(rows) };
      await server.same(binary, `form ${index}, binary, ${rows} rows`);
      await server.same({ header: json({ ...form, inputs: [jsonInput(rows)] }) }, `form ${index}, JSON, ${rows} rows`);
    }
  }
  t.match(
    (await server.ask({ header: json({ inputs: [jsonInput()] }) })).text,
    /^200 .*"outputs":\[\{"name":"output"/s,
  );
  const spaced = { header: `\n${JSON.stringify({ inputs: [binaryInput()] }, undefined, 2)}  `, tensors: tensors() };
  await server.same(spaced, "white space");
});

t.test("the versioned path, and none that differs", async (t) => {
  const server = await Server.open(t, await gruPipeline());
  const body = { header: json({ inputs: [binaryInput()] }), tensors: tensors() };
  t.equal((await server.ask(body, {}, "/v2/models/gru/versions/1/infer")).isNative, true);
  for (const path of ["/v2/models/gru/infer?x=1", "/v2/models/g%72u/infer"]) {
    const { text, isNative } = await server.ask(body, {}, path);
    t.match(text, /^200 /, path);
    t.notOk(isNative, path);
  }
  t.match((await server.ask(body, {}, "/v2/models/gru/versions/2/infer")).text, /^404 /);
});

t.test("sequences: in order, whichever way each step goes, and of one state", async (t) => {
  const ledger = await modelPipeline(onnxCell({ name: "ledger", model: fixture("ledger") }));
  const server = await Server.open(t, ledger);
  let state = 0;
  const step = async (value: number, parameters: object, isNative: boolean) => {
    const x = { name: "x", datatype: "FP32", shape: [1, 2], data: [value, value] };
    const fields: Record<string, string> = isNative ? {} : { "Content-Encoding": "identity" };
    const answer = await server.ask({ header: json({ parameters, inputs: [x] }) }, fields);
    t.equal(answer.isNative, isNative);
    if ((parameters as { sequence_start?: boolean }).sequence_start) state = 0;
    state = (31 * state + value) % 65521;
    t.match(answer.text, `"data":[${state},${state}]`);
  };
  await step(5, { sequence_id: 42 }, true);
  await step(6, { sequence_id: "42" }, true);
  await step(7, { sequence_id: 42 }, false);
  await step(8, { sequence_id: 42 }, true);
  await step(9, { sequence_id: 42, sequence_start: true }, true);
  await step(10, { sequence_id: "42", sequence_start: false }, false);
  await step(11, { sequence_id: 42, sequence_end: true }, true);
  t.equal(server.process.stats().model?.liveStates, 0);
  state = 0;
  for (const id of ["18446744073709551615", '"0"', '"ü\u{1F600}"', `"${"x".repeat(1024)}"`]) {
    for (const value of [1, 2, 3]) {
      const x = { name: "x", datatype: "FP32", shape: [1, 2], data: [value, value] };
      const answer = await server.ask({ header: `{"parameters":{"sequence_id":${id}},"inputs":[${json(x)}]}` });
      t.ok(answer.isNative, id);
      state = (31 * (value === 1 ? 0 : state) + value) % 65521;
      t.match(answer.text, `"data":[${state},${state}]`);
    }
  }
  t.equal(server.process.stats().model?.liveStates, 4);
});

t.test("what is not understood, or not right, is JavaScript's to answer", async (t) => {
  const server = await Server.open(t, await gruPipeline());
  const good = { inputs: [binaryInput()] };
  const wrong: [object | string, RegExp][] = [
    [{ inputs: [] }, /^400 .*left-over/s],
    [{}, /^400 .*expected an array/s],
    [{ inputs: null }, /^400 /],
    [{ inputs: [binaryInput(), binaryInput()] }, /^400 .*is there twice/s],
    [{ inputs: [{ ...binaryInput(), name: "in" }] }, /^400 .*there is no input 'in'/s],
    [
      { inputs: [{ ...binaryInput(), datatype: "FP64", parameters: { binary_data_size: 4096 } }] },
      /^400 .*is truncated/s,
    ],
    [{ inputs: [{ ...binaryInput(), datatype: "FP33" }] }, /^400 .*expected one of/s],
    [{ inputs: [{ ...binaryInput(), shape: [512] }] }, /^400 .*takes \[-1,512\]/s],
    [{ inputs: [{ ...binaryInput(), shape: [1, 513] }] }, /^400 .*is 2052 bytes/s],
    [{ inputs: [{ ...binaryInput(), shape: [0, 512], parameters: { binary_data_size: 0 } }] }, /^400 /],
    [{ inputs: [input(1, { data: [...row], parameters: { binary_data_size: 2048 } })] }, /^400 .*both/s],
    [{ inputs: [input(1, { parameters: { shared_memory_region: "r", binary_data_size: 2048 } })] }, /^501 /],
    [{ ...good, outputs: [{ name: "out" }] }, /^400 .*no output 'out'/s],
    [{ ...good, outputs: [{ name: "output" }, { name: "output" }] }, /^400 .*is there twice/s],
    [{ ...good, outputs: [] }, /^200 .*"outputs":\[\]/s],
    [{ ...good, outputs: [{ name: "output", parameters: { classification: 1 } }] }, /^501 /],
    [{ ...good, parameters: { sequence_start: true } }, /^400 .*need a sequence_id/s],
    [{ ...good, parameters: { sequence_id: -1 } }, /^400 /],
    [{ ...good, parameters: { sequence_id: "x".repeat(1025) } }, /^400 /],
    [{ ...good, parameters: { sequence_id: "\u0000x" } }, /^400 /],
    [{ ...good, parameters: { priority: -1 } }, /^400 /],
    [{ ...good, parameters: { timeout: 60_000_000 } }, /^200 /],
    [{ ...good, id: 7 }, /^400 /],
    [{ ...good, id: 'a"b' }, /^200 .*"id":"a\\"b"/s],
    [{ ...good, more: 1 }, /^200 /],
    [{ inputs: [binaryInput(2)] }, /^400 .*is truncated/s],
    ['{"inputs":[', /^400 .*not JSON|^400 /s],
    [`{"id":"a","id":"b","inputs":[${json(binaryInput())}]}`, /^200 .*"id":"b"/s],
    [`{"parameters":{"sequence_id":01},"inputs":[${json(binaryInput())}]}`, /^400 /],
    [`{"parameters":{"sequence_id":1e2},"inputs":[${json(binaryInput())}]}`, /^200 /],
  ];
  for (const [body, answer] of wrong) {
    const header = typeof body === "string" ? body : json(body);
    for (let turn = 0; turn < 3; ++turn)
      t.match(await server.notNative({ header, tensors: tensors() }, header), answer, header);
  }
  const header = json(good);
  t.match(await server.notNative({ header, tensors: tensors(2) }, "left-over bytes"), /^400 .*left-over/s);
  t.match(await server.notNative({ header: "[1]" }, "no object"), /^400 /);
  t.match(await server.notNative({ header: json({ inputs: [input(1, { data: [1, 2] })] }) }, "too few"), /^400 /);
  t.match(
    await server.notNative({ header, tensors: tensors() }, "an id", { "X-Request-Id": "r1" }),
    /^200 .*"x-request-id":"r1"/s,
  );
  const many = { header: json({ inputs: [binaryInput(100)] }), tensors: tensors(100) };
  t.match(
    await server.notNative(many, "an answer to be compressed", { "Accept-Encoding": "gzip" }),
    /"content-encoding":"gzip"/,
  );
  t.ok(
    (await server.ask({ header, tensors: tensors() }, { "Accept-Encoding": "gzip" })).isNative,
    "one that is too small",
  );
});

t.test("elements of every datatype", async (t) => {
  const floats = [0.1, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45];
  const values: [FixedDatatype, ArrayBufferView][] = [
    ["INT8", Int8Array.of(-128, 127, 0, 1, 2, 3)],
    ["INT16", Int16Array.of(-32768, 32767, 0, 1, 2, 3)],
    ["INT32", Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, 1, 2, 3)],
    ["INT64", BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, 2n ** 53n + 1n, 2n, 3n)],
    ["UINT8", Uint8Array.of(255, 0, 1, 2, 3, 4)],
    ["UINT16", Uint16Array.of(65535, 0, 1, 2, 3, 4)],
    ["UINT32", Uint32Array.of(2 ** 32 - 1, 0, 1, 2, 3, 4)],
    ["UINT64", BigUint64Array.of(2n ** 64n - 1n, 0n, 1n, 2n, 3n, 4n)],
    ["FP16", Uint16Array.of(0x3c00, 0x8000, 0x7e00, 0x7c00, 0xfc00, 1)],
    ["BF16", Uint16Array.of(0x3f80, 0x8000, 0x7fc0, 0x7f80, 0xff80, 1)],
    ["FP32", Float32Array.from(floats)],
    ["FP64", Float64Array.from([...floats.slice(0, 5), 5e-324])],
  ];
  for (const [datatype, elements] of values) {
    const name = `pair_${datatype.toLowerCase()}`;
    const server = await Server.open(t, await modelPipeline(onnxCell({ name, model: fixture(name) })));
    const bytes = bytesOf(elements);
    const half = bytes.byteLength / 2;
    for (const rows of [1, 2]) {
      const size = half * rows;
      const tensor = (index: number) => ({
        name: `INPUT${index}`,
        datatype,
        shape: [rows, 3],
        parameters: { binary_data_size: size },
      });
      const body = Buffer.concat([bytes.subarray(0, size), bytes.subarray(bytes.byteLength - size)]);
      for (const inputs of [
        [tensor(0), tensor(1)],
        [tensor(1), tensor(0)],
      ]) {
        for (const binary_data_output of [true, false]) {
          const header = json({ parameters: { binary_data_output }, inputs });
          await server.same({ header, tensors: body }, `${datatype}, ${rows} rows, ${binary_data_output}`);
        }
      }
      const mixed = {
        parameters: { binary_data_output: true },
        outputs: [{ name: "OUTPUT1", parameters: { binary_data: false } }, { name: "OUTPUT0" }],
      };
      const header = json({ ...mixed, inputs: [tensor(0), tensor(1)] });
      t.match(await server.notNative({ header, tensors: body }, "one output of each kind"), /^200 /);
    }
  }
});

t.test("booleans: from JSON by themselves, from bytes where somebody has looked at them", async (t) => {
  const server = await Server.open(t, await modelPipeline(onnxCell({ name: "bool", model: fixture("pair_bool") })));
  const tensor = (index: number, more: object) => ({ name: `INPUT${index}`, datatype: "BOOL", shape: [1, 3], ...more });
  const data = { data: [true, false, true] };
  await server.same({ header: json({ inputs: [tensor(0, data), tensor(1, data)] }) }, "JSON");
  const size = { parameters: { binary_data_size: 3 } };
  const header = json({ inputs: [tensor(0, size), tensor(1, size)] });
  t.match(await server.notNative({ header, tensors: Buffer.from([1, 0, 1, 0, 1, 2]) }, "2 is none"), /^400 .*BOOL/s);
});

t.test("a model that refuses what it is given", async (t) => {
  const server = await Server.open(t, await modelPipeline(onnxCell({ name: "picky", model: fixture("picky") })));
  const of = (rows: number[]) => ({ name: "index", datatype: "INT64", shape: [rows.length, 1], data: rows });
  const failed = await server.same({ header: json({ id: "7", inputs: [of([7])] }) }, "one row");
  t.match(failed, /^400 .*the model refused the inputs: /s);
  t.match(await server.same({ header: json({ inputs: [of([1, 7, 2])] }) }, "one of three rows"), /^400 /);
  t.match(
    await server.same({ header: json({ inputs: [of([1, 2, 3])] }) }, "rows that are fine"),
    /"data":\[10,100,1000\]/,
  );
  t.equal(server.counts.underWay, 0);
  t.equal(server.counts.byCode[NATIVE_CODES.indexOf("INVALID_ARGUMENT")], 6);
  t.equal(server.counts.byCode[NATIVE_CODES.indexOf("OK")], 3);
});

t.test("the model's policy for requests", async (t) => {
  const pipeline = await gruPipeline();
  const body = { header: json({ inputs: [binaryInput()] }), tensors: tensors() };
  const isNative = async (requestPolicy: RequestPolicy) => {
    const server = await Server.open(t, new Inference({ pipeline, requestPolicy }));
    const { text, isNative } = await server.ask(body);
    t.match(text, /^200 /);
    return isNative;
  };
  t.equal(await isNative({ priorityLevels: 3, defaultPriority: 2 }), true);
  t.equal(await isNative({ timeoutMicros: 60_000_000 }), false, "a timeout needs a timer");
});

t.test("nobody who looks at requests misses one", async (t) => {
  const body = { header: json({ inputs: [binaryInput()] }), tensors: tensors() };
  const isNative = async (parameters: Partial<HttpParameters>, fields: Readonly<Record<string, string>> = {}) => {
    const server = await Server.open(t, await gruPipeline(), parameters);
    const { text, isNative } = await server.ask(body, fields);
    t.match(text, /^200 /);
    return isNative;
  };
  t.equal(await isNative({ accessLog: true }), false);
  t.equal(await isNative({ cors: { origins: ["*"] } }), false);
  t.equal(await isNative({ rateLimit: { requestsPerSecond: 100, burst: 100 } }), false);
  t.equal(await isNative({ threads: 3 }), true);
});
