// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the references that are tested
import fc from "fast-check";
import t from "tap";
import { expand, reread } from "../../src/config/environment.js";

t.test("references are replaced, defaults are for what is not set or empty", async (t) => {
  const environment = { HOST: "cam.local", PORT: "80", EMPTY: "", TRICK: "${HOST}", toString_: "x" };
  for (const [text, expanded] of [
    ["nothing here, $HOST, {HOST}", "nothing here, $HOST, {HOST}"],
    ["rtsp://${HOST}:${PORT}/a", "rtsp://cam.local:80/a"],
    ["${GONE:-8000}", "8000"],
    ["${GONE:-}", ""],
    ["${EMPTY:-full}", "full"],
    ["${EMPTY}", ""],
    ["${HOST:-other}", "cam.local"],
    ["${GONE:-a:-b}", "a:-b"],
    ["$${HOST}", "${HOST}"],
    ["$$${HOST}", "$${HOST}"],
    ["${TRICK}", "${HOST}"],
  ] as const) {
    t.equal(expand(text, environment), expanded, text);
  }
  for (const text of ["${GONE}", "${toString}", "${__proto__}"]) {
    t.throws(() => expand(text, environment), { message: /is not set; set it/ }, text);
  }
  for (const text of ["${}", "${1}", "${A-B}", "${HOST", "${ HOST }", "${HOST:+x}"]) {
    t.throws(() => expand(text, environment), { message: /expected \$\{NAME\} or \$\{NAME:-default\}/ }, text);
  }
});

t.test("text without references is left as it is, and a value is never looked at again", async () => {
  fc.assert(fc.property(fc.string(), (text) => text.includes("${") || expand(text, {}) === text));
  fc.assert(fc.property(fc.string(), (value) => expand("<${A}>", { A: value }) === `<${value}>`));
});

t.test("an unquoted value is a number or a boolean where it reads as one", async (t) => {
  for (const [text, value] of [
    ["80", 80],
    ["-1.5e3", -1500],
    ["0", 0],
    ["true", true],
    ["false", false],
    ["007", "007"],
    ["1_000", "1_000"],
    ["0x10", "0x10"],
    ["", ""],
    ["null", "null"],
    ["yes", "yes"],
    ["[1]", "[1]"],
  ] as const) {
    t.equal(reread(text), value, text);
  }
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) =>
      Object.is(reread(JSON.stringify(n)), JSON.parse(JSON.stringify(n))),
    ),
  );
});
