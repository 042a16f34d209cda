/** JSON by the addon against JSON by src/protocol, which is slow and simple: the same tensors, the same refusals. */
import { deepStrictEqual, ok } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import type { RawTensor } from "../../src/datatype.js";
import { jsonText } from "../../src/engine/json.js";
import { HeadraceError, InvalidArgumentError } from "../../src/errors.js";
import { planTensors, readTensors } from "../../src/protocol/body.js";
import { encodeInferRequest, toRawTensor } from "../../src/protocol/index.js";
import { parseTensorJson, utf8Text } from "../../src/protocol/json.js";
import { jsonOf } from "../../src/protocol/json-data.js";
import { request, tensor } from "../protocol/arbitraries.js";
import { bodyOf, essence, utf8 } from "../protocol/helpers.js";
import { decodeJsonInfer } from "../support/decode.js";

/** The inputs of a request as essences, or the error. */
type Outcome = unknown[] | HeadraceError;

function outcomeOf(decode: () => RawTensor[]): Outcome {
  try {
    return decode().map(essence);
  } catch (error) {
    if (error instanceof HeadraceError && error.code !== "INTERNAL") return error;
    throw error;
  }
}

const native = (body: Uint8Array) => outcomeOf(() => decodeJsonInfer(body).inputs.map(toRawTensor));

const reference = (body: Uint8Array) =>
  outcomeOf(() => {
    const json = parseTensorJson(utf8Text(body, "body"), "body") as { inputs?: unknown } | null;
    if (typeof json !== "object" || json === null) throw new InvalidArgumentError("no object", { path: "body" });
    const plan = planTensors(json.inputs, "inputs", body.byteLength);
    return readTensors(plan, new Uint8Array(0), 0, "inputs").map(toRawTensor);
  });

t.test("requests of any tensors are decoded as JSON.parse and typed arrays would", async () => {
  fc.assert(
    fc.property(request(true), (sent) => {
      const body = bodyOf(encodeInferRequest(sent, { binary: false }));
      const found = native(body);
      ok(Array.isArray(found), "accepted");
      deepStrictEqual(found, reference(body));
    }),
    { numRuns: 500 },
  );
});

/** Numbers as people and programs write them, and what is nearly one. */
const numeral = fc.oneof(
  fc.double().map(String),
  fc.float({ noDefaultInfinity: true, noNaN: true }).map((value) => value.toPrecision(9)),
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
  fc.tuple(fc.integer(), fc.nat(), fc.integer({ min: -330, max: 330 })).map(([a, b, c]) => `${a}.${b}e${c}`),
  fc.constantFrom(
    "-0",
    "-0.0",
    "0e5",
    "1E2",
    "1e+2",
    "01",
    "1.",
    ".5",
    "-",
    "+1",
    "1e999",
    "-1e999",
    "5e-324",
    "0.1e1",
  ),
  fc.constantFrom("true", "false", "null", '"5"', '"-7"', '"NaN"', '"Infinity"', '"x"', "[]", "{}", "[1]", '""'),
);

const datatype = fc.constantFrom(
  ...["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BF16"],
  ...["BYTES", "FP8"],
);

t.test("any list of values is accepted by both or by neither, with the same elements or the same path", async () => {
  const list = fc.tuple(datatype, fc.array(numeral, { maxLength: 4 }), fc.constantFrom(",", " , "));
  fc.assert(
    fc.property(list, ([type, values, comma]) => {
      // The reference makes a string of the token Infinity, which a BYTES must not be.
      fc.pre(type !== "BYTES" || !values.some((value) => /^-?(?:NaN|Inf)/.test(value)));
      const body = utf8(
        `{"inputs":[{"name":"x","datatype":"${type}","shape":[${values.length}],"data":[${values.join(comma)}]}]}`,
      );
      const [found, expected] = [native(body), reference(body)];
      if (found instanceof HeadraceError && expected instanceof HeadraceError) {
        deepStrictEqual([found.code, found.path], [expected.code, expected.path]);
      } else {
        deepStrictEqual(found, expected);
      }
    }),
    { numRuns: 5000 },
  );
});

t.test("a damaged request is accepted by both or by neither", async () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'[]{}",:\\0-.eN \u00e9'), fc.boolean()), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(request(true), damage, (sent, places) => {
      let text = utf8Text(bodyOf(encodeInferRequest({ inputs: sent.inputs }, { binary: false })), "body");
      for (const [at, character, inserts] of places) {
        const index = at % (text.length + 1);
        text = text.slice(0, index) + character + text.slice(inserts ? index : index + 1);
      }
      const body = utf8(text);
      const [found, expected] = [native(body), reference(body)];
      // Where both refuse, one may see another of several faults first.
      if (found instanceof HeadraceError && expected instanceof HeadraceError) return;
      deepStrictEqual(found, expected, text);
    }),
    { numRuns: 3000 },
  );
});

t.test("nesting, white space and the order of members make no difference", async () => {
  fc.assert(
    fc.property(tensor(true), fc.constantFrom(0, 1, "\t"), fc.boolean(), (one, space, dataFirst) => {
      const { datatype, shape } = one;
      const data: unknown = JSON.parse(jsonOf(one, "x").replace(/-?(?:NaN|Infinity)/g, '"$&"'));
      // Integers above 2^53 are for another test; JSON.stringify drops the sign of a zero.
      fc.pre(!(data as unknown[]).some((element) => Object.is(element, -0)));
      fc.pre(datatype !== "INT64" && datatype !== "UINT64" && datatype !== "BYTES");
      const rest = { name: "x", datatype, shape };
      const input = dataFirst ? { data: nested(data as unknown[], shape), ...rest } : { ...rest, data };
      deepStrictEqual(native(utf8(JSON.stringify({ inputs: [input] }, null, space))), [essence(one)]);
    }),
  );
});

function nested(elements: readonly unknown[], shape: readonly number[]): unknown {
  const [length, ...rest] = shape;
  if (length === undefined) return elements[0];
  const width = rest.reduce((product, size) => product * size, 1);
  return Array.from({ length }, (_, i) => nested(elements.slice(i * width, (i + 1) * width), rest));
}

t.test("tensors are written so that they are read as the same ones", async () => {
  fc.assert(
    fc.property(tensor(true), (one) => {
      const { datatype, shape } = one;
      const text = jsonText(one, "x");
      const body = utf8(`{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${shape}],"data":${text}}]}`);
      deepStrictEqual([native(body), reference(body)], [[essence(one)], [essence(one)]]);
    }),
    { numRuns: 1000 },
  );
});

t.test("BYTES that are no UTF-8 cannot be JSON", async (t) => {
  const image: RawTensor = { datatype: "BYTES", shape: [1], data: [Uint8Array.of(0xff, 0xd8)] };
  t.throws(() => jsonText(image, "outputs.image"), { path: "outputs.image as JSON", message: /not UTF-8/ });
  t.equal(jsonText({ ...image, data: [utf8('"é"\n')] }, "x"), '["\\"é\\"\\n"]');
});

t.test("a long body is read after a short one, and a short one after a long one", async (t) => {
  for (const count of [1, 300_000, 2, 3_000_000, 1]) {
    const body = utf8(
      `{"inputs":[{"name":"x","datatype":"INT32","shape":[${count}],"data":[${new Array(count).fill(7).join(",")}]}]}`,
    );
    const [x] = decodeJsonInfer(body).inputs.map(toRawTensor);
    t.equal(x?.data.length, count);
    t.ok(x?.data.every((element) => element === 7));
  }
});
