/** Triton's generate extension: flat JSON in and out, and as an event. */
import t from "tap";
import { onnxCell } from "../../../src/pipeline/index.js";
import { myPipeline } from "../../support/cells.js";
import { Gate } from "../../support/gate.js";
import { fixture } from "../../support/paths.js";
import { modelPipeline, serve } from "../../support/serve.js";

const model = (name: string, options = {}) => modelPipeline(onnxCell({ name, model: fixture(name), ...options }));

async function generate(url: string, name: string, body: unknown, stream = false) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const path = `${url}/v2/models/${name}/generate${stream ? "_stream" : ""}`;
  const response = await fetch(path, { method: "POST", body: text });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

t.test("the model says what the shapes are", async (t) => {
  const { url } = await serve(t, await model("accumulator"));
  const answer = async (body: unknown) => JSON.parse((await generate(url, "accumulator", body)).text) as unknown;
  const named = { model_name: "accumulator", model_version: "1" };
  t.same(await answer({ x: [1, 2, 3, 4] }), { ...named, y: [1, 2, 3, 4] });
  t.same(await answer({ id: "q", x: [[1, 2, 3, 4]] }), { ...named, id: "q", y: [1, 2, 3, 4] }, "nested too");
  t.same(await answer({ x: [1, 2, 3, 4, 5, 6, 7, 8] }), { ...named, y: [1, 2, 3, 4, 5, 6, 7, 8] }, "two rows");
  t.same(
    await answer({ parameters: { x: [1, 1, 1, 1] } }),
    { ...named, y: [1, 1, 1, 1] },
    "an input among the parameters",
  );
  const sequence = { x: [1, 1, 1, 1], parameters: { sequence_id: 7, temperature: 0.5 } };
  t.same(await answer(sequence), { ...named, y: [1, 1, 1, 1] });
  t.same(
    await answer({ x: [1, 1, 1, 1], sequence_id: "7" }),
    { ...named, y: [2, 2, 2, 2] },
    "parameters beside the inputs",
  );
  t.same(await answer({ ...sequence, sequence_start: true }), { ...named, y: [1, 1, 1, 1] });
  const path = `${url}/v2/models/accumulator/versions/1/generate`;
  t.equal((await fetch(path, { method: "POST", body: '{"x":[1,2,3,4]}' })).status, 200);
});

t.test("an output of one element is that element; text is text, integers are exact", async (t) => {
  const strings = await serve(t, await model("strings"));
  t.match(JSON.parse((await generate(strings.url, "strings", { text: ["Grüße", "b"] })).text), {
    echo: ["Grüße", "b"],
  });
  const scalar = await serve(t, myPipeline());
  t.match(JSON.parse((await generate(scalar.url, "MyPipeline", { input: 4 })).text), { output: 5, counter: 1 });
  const integers = await serve(t, await model("identity_int64"));
  const exact = await generate(integers.url, "identity_int64", '{"x": [9223372036854775807, -1, 0]}');
  t.ok(exact.text.endsWith('"y":[9223372036854775807,-1,0]}'), exact.text);
  const booleans = await serve(t, await model("identity_bool"));
  t.match(JSON.parse((await generate(booleans.url, "identity_bool", { x: [true, false, true] })).text), {
    y: [true, false, true],
  });
});

t.test("as an event", async (t) => {
  const { url } = await serve(t, await model("picky"));
  t.same(await generate(url, "picky", { index: 2 }, true), {
    status: 200,
    type: "text/event-stream; charset=utf-8",
    text: 'data: {"model_name":"picky","model_version":"1","y":100}\n\n',
  });
  for (const index of [9, "two"]) {
    const wrong = await generate(url, "picky", { index }, true);
    t.match(wrong, { status: 400, type: "application/json" }, "what is wrong in itself never became a stream");
  }
});

t.test("as an event, where it fails while it runs", async (t) => {
  const held = new Gate();
  const { url } = await serve(t, held.pipeline());
  for (const isStream of [true, false]) {
    const answer = generate(url, "gate", { x: 1 }, isStream);
    await held.arrived(isStream ? 1 : 2);
    held.fail("out of order");
    const { status, type, text } = await answer;
    t.equal(status, 500);
    t.equal(type, isStream ? "text/event-stream; charset=utf-8" : "application/json");
    t.match(text, isStream ? /^data: \{"error":".*out of order.*"\}\n\n$/ : /^\{"error":".*out of order.*"\}$/);
  }
});

t.test("what is refused", async (t) => {
  const { url } = await serve(t, await model("accumulator"));
  const wrong: [unknown, number, RegExp][] = [
    ["", 400, /body: not JSON/],
    ["[]", 400, /body: expected an object/],
    [{}, 400, /x: this input is missing/],
    [{ x: null }, 400, /x: this input is missing/],
    [{ x: [1, 2, 3] }, 400, /x: an array of 3 does not fill the shape \[-1, 4\]/],
    [{ x: 1 }, 400, /x: 1 does not fill the shape/],
    [{ x: [] }, 400, /no rows/],
    [{ x: [1, 2, 3, "four"] }, 400, /x\[3\]: expected a number/],
    [{ x: [1, 2, 3, 4], z: [1] }, 400, /z: is no input, and a parameter is one value; the inputs are x/],
    [{ x: [1, 2, 3, 4], parameters: [] }, 400, /parameters: expected an object/],
    [{ x: [1, 2, 3, 4], id: 5 }, 400, /id: expected a string/],
    [{ x: [1, 2, 3, 4], sequence_end: true }, 400, /need a sequence_id/],
    [{ x: [1, 2, 3, 4, 5, 6, 7, 8], sequence_id: 5 }, 400, /one row/],
    [`{"x":${"[".repeat(5000)}1${"]".repeat(5000)}}`, 400, /body: nested deeper than 64/],
  ];
  for (const [body, status, message] of wrong) {
    const answer = await generate(url, "accumulator", body);
    t.equal(answer.status, status, JSON.stringify(body).slice(0, 40));
    t.match((JSON.parse(answer.text) as { error: string }).error, message);
  }
  t.equal((await generate(url, "other", {})).status, 404);
  t.equal((await fetch(`${url}/v2/models/accumulator/generate`)).status, 405);
});
