/** Protobuf's text format, without a schema: what is written comes back, and what is wrong is named with its line. */
import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { HeadraceError } from "../../src/errors.js";
import { type ConfigNode, parseTextFormat } from "../../src/repository/text-format.js";

/** A tree without places, as the tests write them. */
type Tree =
  | { kind: "message"; fields: [string, Tree][] }
  | { kind: "list"; items: Tree[] }
  | { kind: "string" | "number" | "word"; text: string };

function treeOf(node: ConfigNode): Tree {
  if (node.kind === "message") {
    return { kind: "message", fields: node.fields.map(({ name, value }) => [name, treeOf(value)]) };
  }
  if (node.kind === "list") return { kind: "list", items: node.items.map(treeOf) };
  return { kind: node.kind, text: node.text };
}

const parse = (text: string): Tree => treeOf(parseTextFormat(text, "config.pbtxt"));

const name = fc.stringMatching(/^[a-z_][a-zA-Z0-9_]{0,8}$/);
const scalar = fc.oneof(
  fc.string({ unit: "binary" }).map((text): Tree => ({ kind: "string", text })),
  fc.integer().map((value): Tree => ({ kind: "number", text: String(value) })),
  fc.stringMatching(/^-?[1-9][0-9]{0,3}\.[0-9]{1,3}(e-?[1-9])?$/).map((text): Tree => ({ kind: "number", text })),
  fc.stringMatching(/^[A-Z][A-Z_]{0,6}$/).map((text): Tree => ({ kind: "word", text })),
);
const { message } = fc.letrec<{ message: Tree; value: Tree }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    scalar,
    tie("message"),
    fc
      .oneof(fc.array(scalar, { maxLength: 4 }), fc.array(tie("message"), { minLength: 1, maxLength: 3 }))
      .map((items): Tree => ({ kind: "list", items })),
  ),
  message: fc
    .array(fc.tuple(name, tie("value")), { maxLength: 4 })
    .map((fields): Tree => ({ kind: "message", fields })),
}));

/** Writes a tree in one of the many ways that the format has, as `pick` decides. */
function print(tree: Tree, pick: (choices: number) => number): string {
  const space = (): string => [" ", "\n", "\t", " # a 'comment' { [\n", "\r\n"][pick(5)] ?? " ";
  const string = (text: string): string => {
    const quote = pick(2) === 0 ? '"' : "'";
    const characters = Array.from(text, (char) => {
      const code = char.codePointAt(0) ?? 0;
      if (char === "\n") return "\\n";
      if (char === "\\" || char === quote) return `\\${char}`;
      if (pick(8) > 0) return char;
      if (code <= 0xff && pick(2) === 0) return `\\${code.toString(8).padStart(3, "0")}`;
      return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
    });
    const cut = pick(characters.length + 1);
    const quoted = (part: string[]): string => quote + part.join("") + quote;
    return pick(3) > 0
      ? quoted(characters)
      : quoted(characters.slice(0, cut)) + space() + quoted(characters.slice(cut));
  };
  const value = (node: Tree): string => {
    if (node.kind === "message") {
      const [open, close] = pick(4) === 0 ? ["<", ">"] : ["{", "}"];
      return open + space() + fields(node.fields) + close;
    }
    if (node.kind === "list") return `[${space()}${node.items.map(value).join(`,${space()}`)}${space()}]`;
    return node.kind === "string" ? string(node.text) : node.text;
  };
  const fields = (list: [string, Tree][]): string =>
    list
      .map(([field, node]) => {
        const items = node.kind === "list" ? node.items : [node];
        const mayOmit = items.every(({ kind }) => kind === "message");
        const colon = mayOmit && pick(2) === 0 ? "" : ":";
        return (
          field + (pick(2) === 0 ? "" : space()) + colon + space() + value(node) + ["", ",", ";"][pick(3)] + space()
        );
      })
      .join("");
  return tree.kind === "message" ? space() + fields(tree.fields) : value(tree);
}

t.test("what is written comes back, however it is written", async () => {
  fc.assert(
    fc.property(message, fc.array(fc.nat(997), { minLength: 1, maxLength: 40 }), (tree, numbers) => {
      let at = 0;
      const pick = (choices: number): number => (numbers[at++ % numbers.length] ?? 0) % choices;
      assert.deepEqual(parse(print(tree, pick)), tree);
    }),
    { numRuns: 400 },
  );
});

t.test("whatever the text is, it is read or refused with a line", async () => {
  const pieces = fc.constantFrom(
    "name",
    ":",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "1",
    "-",
    '"',
    "'",
    "\\",
    ",",
    "#",
    "\n",
    "0x",
    ".5f",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(pieces).map((list) => list.join(" ")),
        fc.string({ unit: "binary" }),
      ),
      (text) => {
        try {
          parseTextFormat(text, "m/config.pbtxt");
        } catch (error) {
          t.ok(error instanceof HeadraceError && error.code === "MODEL_INVALID", "one of ours");
          t.match((error as HeadraceError).path, /^m\/config\.pbtxt:\d+$/);
        }
      },
    ),
    { numRuns: 400 },
  );
});

t.test("Triton's own ways of writing", async (t) => {
  const text = `
    # a model
    name: "simple" platform: 'onnxruntime_' "onnx"
    max_batch_size: 0x10;
    input [
      { name: "A" data_type: TYPE_FP32 dims: [ -1, 16 ] },
      { name: "B", data_type: TYPE_INT32, dims: 16 dims: 4 }
    ]
    dynamic_batching { }
    parameters: { key: "k" value: { string_value: "a\\tb\\x41\\101" } }
    share: 0.5f
    low: -inf
  `;
  t.same(parse(text), {
    kind: "message",
    fields: [
      ["name", { kind: "string", text: "simple" }],
      ["platform", { kind: "string", text: "onnxruntime_onnx" }],
      ["max_batch_size", { kind: "number", text: "0x10" }],
      [
        "input",
        {
          kind: "list",
          items: [
            {
              kind: "message",
              fields: [
                ["name", { kind: "string", text: "A" }],
                ["data_type", { kind: "word", text: "TYPE_FP32" }],
                [
                  "dims",
                  {
                    kind: "list",
                    items: [
                      { kind: "number", text: "-1" },
                      { kind: "number", text: "16" },
                    ],
                  },
                ],
              ],
            },
            {
              kind: "message",
              fields: [
                ["name", { kind: "string", text: "B" }],
                ["data_type", { kind: "word", text: "TYPE_INT32" }],
                ["dims", { kind: "number", text: "16" }],
                ["dims", { kind: "number", text: "4" }],
              ],
            },
          ],
        },
      ],
      ["dynamic_batching", { kind: "message", fields: [] }],
      [
        "parameters",
        {
          kind: "message",
          fields: [
            ["key", { kind: "string", text: "k" }],
            ["value", { kind: "message", fields: [["string_value", { kind: "string", text: "a\tbAA" }]] }],
          ],
        },
      ],
      ["share", { kind: "number", text: "0.5f" }],
      ["low", { kind: "number", text: "-inf" }],
    ],
  });
});

t.test("what is wrong, and in which line", async (t) => {
  const wrong: [string, RegExp][] = [
    ['name: "a\nb"', /config\.pbtxt:1: the string that ends here lacks its closing "/],
    ["a: 1\n\ninput {\n name: 'x'\n", /:5: the message that begins in line 3 lacks its '}'/],
    ["a: 1\n}", /:2: expected the name of a field, got '}'/],
    ["a 1", /:1: expected ':' or '{' after a, got '1'/],
    ["\na: ", /:2: expected a value, got the end of the file/],
    ["a [1, 2]", /:1: needs ':' before its value/],
    ["a: [1 2]", /:1: expected ',' or '\]', got '2'/],
    ["a: $", /:1: "\$" has no meaning here/],
    ["a: '\\q'", /:1: .* is no escape/],
    ["a: '\\U00110000'", /is no character/],
    ["[ext.field]: 1", /expected the name of a field, got '\['/],
    ["a: - 'x'", /expected a value, got a string/],
    ["a ".concat("{ a ".repeat(40)), /:1: messages are nested deeper than 32/],
  ];
  for (const [text, message] of wrong)
    t.throws(() => parse(text), { code: "MODEL_INVALID", message }, text.slice(0, 20));
});
