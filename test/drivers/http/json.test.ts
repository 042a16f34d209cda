/** JSON tensors over HTTP and text frames: every datatype in and out as text, exactly, first time and steady clients alike. */
import t, { type Test } from "tap";
import { onnxCell } from "../../../src/pipeline/index.js";
import { fixture } from "../../support/paths.js";
import { modelPipeline, serve } from "../../support/serve.js";
import { Peer } from "../../support/sockets.js";

/** What an echo of three elements makes of a text: model, datatype, elements sent, elements wanted back. */
const ECHOES: readonly (readonly [model: string, datatype: string, sent: string, back: string])[] = [
  ["bool", "BOOL", "[true,0,1.0]", "[true,false,true]"],
  ["uint8", "UINT8", "[0,255,1e2]", "[0,255,100]"],
  ["int8", "INT8", "[-128,127,-0]", "[-128,127,0]"],
  ["uint16", "UINT16", "[65535,1,2]", "[65535,1,2]"],
  ["int16", "INT16", "[-32768,1,2]", "[-32768,1,2]"],
  ["uint32", "UINT32", "[4294967295,1,2]", "[4294967295,1,2]"],
  ["int32", "INT32", "[-2147483648,1,2]", "[-2147483648,1,2]"],
  ["uint64", "UINT64", '[18446744073709551615,"5",9007199254740993]', "[18446744073709551615,5,9007199254740993]"],
  ["int64", "INT64", '[-9223372036854775808,"-5",1]', "[-9223372036854775808,-5,1]"],
  ["float16", "FP16", "[0.5,65504,-1e-7]", "[0.5,65504,-1.1920929e-07]"],
  ["bfloat16", "BF16", "[1.00390625,3e38,-2]", "[1,3.0040553e+38,-2]"],
  ["float", "FP32", "[0.1,-0.0,16777217]", "[0.1,-0.0,16777216]"],
  ["float", "FP32", '[NaN,-Infinity,"Infinity"]', "[NaN,-Infinity,Infinity]"],
  ["double", "FP64", "[0.1,5e-324,1.7976931348623157e308]", "[0.1,5e-324,1.7976931348623157e+308]"],
];

const requestOf = (datatype: string, data: string, more = "") =>
  `{${more}"inputs":[{"name":"x","shape":[1,3],"datatype":"${datatype}","data":${data}}]}`;

const answerOf = (model: string, datatype: string, data: string, id = "") =>
  `{"model_name":"${model}","model_version":"1",${id}"outputs":[{"name":"y","datatype":"${datatype}","shape":[1,3],"data":${data}}]}`;

async function echo(t: Test, model: string) {
  const { url } = await serve(t, await modelPipeline(onnxCell({ name: model, model: fixture(`identity_${model}`) })));
  const post = async (body: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}/v2/models/${model}/infer`, { method: "POST", body, headers });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return { url, post };
}

t.test("every datatype comes back as it was sent, over HTTP and in text frames", async (t) => {
  for (const [model, datatype, sent, back] of ECHOES) {
    const { url, post } = await echo(t, model);
    const wanted = answerOf(model, datatype, back);
    // The first takes the long way, the second too, and those after it the short one.
    for (let time = 1; time <= 4; time++) {
      const { status, text, headers } = await post(requestOf(datatype, sent));
      t.equal(text, wanted, `${datatype}, time ${time}`);
      t.same([status, headers.get("content-type")], [200, "application/json"]);
    }
    const peer = await Peer.open(t, `${url}/v2/models/${model}/stream`);
    peer.send(requestOf(datatype, sent));
    t.equal(await peer.next(), wanted);
    await peer.close();
  }
});

t.test("a steady client's elements may change, and are refused where they are wrong", async (t) => {
  const { post } = await echo(t, "int8");
  const id = '"id":"7",';
  for (const value of [1, -1, 127, 5]) {
    const { text } = await post(requestOf("INT8", `[${value},0,1]`, id));
    t.equal(text, answerOf("int8", "INT8", `[${value},0,1]`, id));
  }
  const refused = await post(requestOf("INT8", "[128,0,1]", id));
  t.same(
    [refused.status, JSON.parse(refused.text)],
    [400, { error: "inputs[0].data[0]: expected an integer of INT8, got 128" }],
  );
  t.equal((await post(requestOf("INT8", "[ 3 , 0,1 ]", id))).text, answerOf("int8", "INT8", "[3,0,1]", id));
});

t.test("a steady client that wants one form for its inputs and the other for its outputs", async (t) => {
  const { post } = await echo(t, "float");
  for (let time = 0; time < 3; time++) {
    const answer = await post(requestOf("FP32", `[${time},0.25,-1]`, '"parameters":{"binary_data_output":true},'));
    const header = answer.headers.get("inference-header-content-length");
    t.equal(Buffer.byteLength(answer.text) > Number(header), true, "its elements are behind the JSON");
    t.match(JSON.parse(answer.text.slice(0, Number(header))), {
      outputs: [{ name: "y", parameters: { binary_data_size: 12 } }],
    });
  }
});

t.test("a model with several inputs and outputs answers each in its place", async (t) => {
  const { process, url } = await serve(
    t,
    await modelPipeline(onnxCell({ name: "text", model: fixture("echo_constant_text"), constants: {} })),
  );
  t.same(Object.keys(process.inputs), ["x", "text"]);
  const body =
    '{"inputs":[{"data":["é\\n","\\u0000"],"datatype":"BYTES","shape":[2],"name":"text"},' +
    '{"name":"x","datatype":"FP32","shape":[1,2],"data":[[0.5,1e3]]}]}';
  for (let time = 0; time < 3; time++) {
    const response = await fetch(`${url}/v2/models/text/infer`, { method: "POST", body });
    const { outputs } = (await response.json()) as { outputs: { name: string; data: unknown[] }[] };
    t.same(
      outputs.map(({ name, data }) => [name, data]),
      [
        ["y", [0.5, 1000]],
        ["echo", ["é\n", "\u0000"]],
      ],
    );
  }
});
