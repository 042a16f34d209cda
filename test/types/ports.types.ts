/** Compiled, not run: which types may be connected to which. */
import { defineCell, PipelineFactory } from "../../src/pipeline/index.js";
import { Class, Dict, Enum, Integer, IntegerRange, List, Optional, String as Text } from "../../src/types/index.js";

const From = defineCell({
  name: "From",
  inputs: {},
  outputs: {
    text: Text(),
    side: Enum(["left", "right"]),
    integer: Integer(),
    maybe: Optional(Integer()),
    list: List(Integer()),
    dict: Dict(Integer()),
    record: Dict({ a: Integer() }),
  },
  call: () => ({ text: "", side: "left", integer: 1, maybe: null, list: [], dict: {}, record: { a: 1 } }),
});
const To = defineCell({
  name: "To",
  inputs: {
    text: Text(),
    left: Enum(["left"]),
    integer: Integer(),
    range: IntegerRange({ min: 0, max: 1 }),
    maybe: Optional(Integer()),
    list: List(Integer()),
    dict: Dict(Integer()),
    record: Dict({ a: Integer(), b: Optional(Integer()) }),
  },
  outputs: {},
  call: () => ({}),
});

const factory = new PipelineFactory({ name: "ports" });
const { outputs: from } = factory.addCell("from", From);
const { inputs: to } = factory.addCell("to", To);
factory.connect(from.side, to.text);
factory.connect(from.integer, to.range);
factory.connect(from.integer, to.maybe);
factory.connect(from.maybe, to.maybe);
factory.connect(from.list, to.list);
factory.connect(from.record, to.dict);
factory.connect(from.record, to.record);
// @ts-expect-error it may be null
factory.connect(from.maybe, to.integer);
// @ts-expect-error it may be any string
factory.connect(from.text, to.left);
// @ts-expect-error it may be the other one
factory.connect(from.side, to.left);
// @ts-expect-error it may have any keys
factory.connect(from.dict, to.record);
// @ts-expect-error a list is no number
factory.connect(from.list, to.integer);

// What `call` gives keeps its literals.
defineCell({
  name: "Literals",
  inputs: { right: Integer() },
  outputs: { side: Enum(["left", "right"]), animal: Class({ labels: ["cat"] }), sides: List(Enum(["left"])) },
  async call({ inputs }) {
    return { side: inputs.right > 0 ? "right" : "left", animal: { label: "cat", score: 1 }, sides: ["left"] };
  },
});
defineCell({
  name: "Wrong",
  inputs: {},
  outputs: { side: Enum(["left", "right"]) },
  // @ts-expect-error no such value
  call: () => ({ side: "up" }),
});
defineCell({
  name: "State",
  inputs: {},
  outputs: {},
  state: { side: Enum(["left", "right"], { default: "left" }), all: List(Enum(["a", "b"]), { default: [] }) },
  call({ state }) {
    state.side = "right";
    state.all = [...state.all, "a"];
    // @ts-expect-error no such value
    state.side = "up";
    return {};
  },
});
