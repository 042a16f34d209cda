import t from "tap";
import {
  Float,
  fakeValues,
  Integer,
  parseValues,
  Random,
  Tensor,
  valuesSchema,
  valuesToJson,
} from "../../src/types/index.js";

const TYPES = { count: Integer(), gain: Float({ default: 1 }), "odd name": Tensor("FP32", [2], { default: [0, 0] }) };

t.test("values are validated by name, and defaults filled in", async (t) => {
  const values = parseValues(TYPES, { count: 3, gain: undefined }, "inputs");
  t.same([values.count, values.gain, [...values["odd name"]]], [3, 1, [0, 0]]);
  t.not(parseValues(TYPES, { count: 3 }, "inputs")["odd name"], values["odd name"]);
});

t.test("the message names what does not fit", async (t) => {
  const refused = (values: unknown, message: string) =>
    t.throws(() => parseValues(TYPES, values, "inputs"), { code: "INVALID_ARGUMENT", message });
  refused({}, "inputs.count: is missing; expected Integer");
  refused({ count: "3" }, 'inputs.count: expected an integer, got "3"');
  refused({ count: 3, "odd name": [1, "2"] }, 'inputs["odd name"][1]: expected a number that FP32 can hold, got "2"');
  refused({ count: 3, cuont: 3 }, "inputs.cuont: is not a known name; known: count, gain, odd name");
  refused(
    JSON.parse('{"count": 3, "__proto__": 3}'),
    "inputs.__proto__: is not a known name; known: count, gain, odd name",
  );
  refused([3], "inputs: expected an object of named values, got an array of 1");
  refused(null, "inputs: expected an object of named values, got null");
  t.throws(() => parseValues({ toString: Integer() }, {}, "inputs"), {
    code: "INVALID_ARGUMENT",
    path: "inputs.toString",
  });
});

t.test("JSON and schema have the same names", async (t) => {
  const values = fakeValues(TYPES, new Random(5));
  t.same(parseValues(TYPES, JSON.parse(JSON.stringify(valuesToJson(TYPES, values))), "x"), values);
  const schema = valuesSchema(TYPES);
  t.match(schema, { type: "object", required: ["count"], additionalProperties: false });
  t.same(Object.keys(schema.properties ?? {}), ["count", "gain", "odd name"]);
});
