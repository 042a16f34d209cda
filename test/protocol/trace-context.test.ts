/** W3C Trace Context: what is taken, what counts as absent, and how it travels among a message's parameters. */
import fc from "fast-check";
import t from "tap";
import {
  encodeInferRequest,
  encodeStreamFrame,
  formatTraceparent,
  parseTraceContext,
  traceParameters,
} from "../../src/protocol/index.js";
import { decodeJsonInfer, decodeStreamRequest } from "../support/decode.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const PARENT = `00-${TRACE}-${SPAN}-01`;

t.test("a traceparent is read", async (t) => {
  t.same(parseTraceContext(PARENT), {
    traceparent: PARENT,
    tracestate: undefined,
    traceId: TRACE,
    parentId: SPAN,
    isSampled: true,
  });
  t.match(parseTraceContext(`00-${TRACE}-${SPAN}-00`), { isSampled: false });
  t.match(parseTraceContext(`00-${TRACE}-${SPAN}-03`), { isSampled: true });
  t.match(parseTraceContext(`cc-${TRACE}-${SPAN}-01-what the future brings`), { traceId: TRACE });
});

t.test("what is not of the grammar counts as absent", async (t) => {
  const wrong = [
    undefined,
    null,
    7,
    "",
    PARENT.toUpperCase(),
    ` ${PARENT}`,
    `${PARENT}\n`,
    `${PARENT}-more`,
    PARENT.slice(0, -1),
    `ff-${TRACE}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-0g`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `cc-${TRACE}-${SPAN}-01-${"x".repeat(500)}`,
  ];
  for (const value of wrong) t.equal(parseTraceContext(value), undefined, String(value));
});

t.test("tracestate: its members, and nothing of it where one is wrong", async (t) => {
  const stateOf = (tracestate: unknown) => parseTraceContext(PARENT, tracestate)?.tracestate;
  const long = "k".repeat(256);
  const right = [
    "a=1",
    "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
    "fw529a3039@dt=FfI4, b=~!",
    "a=1,,b=2",
    `${long}=${"v".repeat(256)}`,
  ];
  for (const text of right) t.equal(stateOf(text), text);
  const members = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=v`).join(",");
  t.equal(stateOf(members(32)), members(32));
  const wrong = [
    "",
    ",",
    "a",
    "a=",
    "=1",
    "A=1",
    "a=1=2",
    "a=1\t",
    "a=é",
    "a=1,a=2",
    `${long}k=1`,
    `a=${"v".repeat(257)}`,
    members(33),
    7,
  ];
  for (const text of wrong) {
    if (text === "a=1\t") t.equal(stateOf(text), text, "white space around a member is none of it");
    else t.equal(stateOf(text), undefined, String(text));
  }
});

t.test("any context is formatted and read again, and travels with a message", async (t) => {
  const hex = (length: number) =>
    fc
      .array(fc.constantFrom(..."0123456789abcdef"), { minLength: length, maxLength: length })
      .map((digits) => digits.join(""))
      .filter((text) => /[^0]/.test(text));
  const states = fc.option(fc.constantFrom("a=1", "a=1,b=x y"), { nil: undefined });
  fc.assert(
    fc.property(hex(32), hex(16), fc.boolean(), states, (traceId, parentId, isSampled, tracestate) => {
      const trace = parseTraceContext(formatTraceparent(traceId, parentId, isSampled), tracestate);
      t.match(trace, { traceId, parentId, isSampled, tracestate });
      const inputs = { x: { datatype: "FP32", shape: [1], data: Float32Array.of(1) } } as const;
      const binary = encodeInferRequest({ inputs, trace }, { binary: true });
      t.same(decodeStreamRequest(encodeStreamFrame(binary)).trace, trace);
      t.same(decodeJsonInfer(encodeInferRequest({ inputs, trace }, { binary: false }).header).trace, trace);
    }),
    { numRuns: 50 },
  );
  t.same(traceParameters(undefined), {});
  const wrong = { inputs: [], parameters: { traceparent: "no trace", tracestate: "a=1" } };
  t.equal(decodeJsonInfer(JSON.stringify(wrong)).trace, undefined, "one that cannot be read costs nothing");
});
