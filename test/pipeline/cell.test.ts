import t from "tap";
import { defineCell, type FunctionCellOptions } from "../../src/pipeline/index.js";
import { Integer, type Types } from "../../src/types/index.js";

const OPTIONS = {
  name: "Counter",
  inputs: { by: Integer({ default: 1 }) },
  outputs: { count: Integer() },
  state: { count: Integer({ default: 0 }) },
};

const STEP = {
  parameters: {},
  resources: undefined,
  stateId: undefined,
  end: false,
  signal: new AbortController().signal,
};

t.test("a cell is what was declared, frozen, with nothing where nothing was", async (t) => {
  const cell = defineCell({ ...OPTIONS, call: ({ inputs, state }) => ({ count: state.count + inputs.by }) });
  t.match(cell, { kind: "function", name: "Counter", inputs: OPTIONS.inputs, state: OPTIONS.state });
  t.same(cell.parameters, {});
  t.equal(cell.description, undefined);
  t.ok(Object.isFrozen(cell) && Object.isFrozen(cell.inputs));
  t.same(cell.call?.({ ...STEP, inputs: { by: 2 }, state: { count: 3 } }), { count: 5 });
  t.equal(cell.batch, undefined);
});

t.test("`this` in call is the options, as their author expects", async (t) => {
  const cell = defineCell({
    name: "This",
    inputs: {},
    outputs: { name: Integer() },
    call() {
      return { name: this.name.length };
    },
  });
  t.same(cell.call?.({ ...STEP, inputs: {}, state: {} }), { name: 4 });
});

t.test("a wrong description is refused where it is wrong", async (t) => {
  const refused = (change: object, path: string) => {
    const options = { ...OPTIONS, call: () => ({ count: 1 }), ...change };
    t.throws(() => defineCell(options as unknown as FunctionCellOptions<Types, Types, Types, Types>), {
      code: "INVALID_ARGUMENT",
      path,
    });
  };
  refused({ name: "" }, "defineCell.name");
  refused({ state: { count: Integer() } }, "Counter.state.count");
  refused({ inputs: { by: 3 } }, "Counter.inputs.by");
  refused({ outputs: { by: undefined } }, "Counter.outputs.by");
  refused({ parameters: JSON.parse('{"__proto__": 1}') }, "Counter.parameters");
  refused({ call: 3 }, "Counter.call");
  refused({ call: undefined }, "Counter.call");
  refused({ call: undefined, batch: 3 }, "Counter.batch");
  refused({ batch: () => [] }, "Counter.batch");
  refused({ maxBatch: 0 }, "Counter.maxBatch");
});
