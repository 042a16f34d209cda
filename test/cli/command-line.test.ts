/** Arguments that look like numbers, or like options, are the texts that were typed. */
import { cac } from "cac";
import t from "tap";
import { parseTexts } from "../../src/cli/command-line.js";

function parsed(...words: string[]): [args: readonly string[], options: Record<string, unknown>] {
  const cli = cac("headrace");
  cli
    .command("serve [target]", "")
    .option("--name <name>", "")
    .option("--port <n>", "", { default: "8000" })
    .option("--load-model <name>", "A model; may be given several times")
    .option("--rate <list>", "")
    .option("--json", "")
    .option("--no-pin", "");
  parseTexts(cli, ["node", "headrace", ...words]);
  const { "--": _, ...options } = cli.options;
  return [cli.args, options];
}

t.test("values of options and positionals stay as they were typed", (t) => {
  const rest = { port: "8000", pin: true };
  const cases: [string[], string[], object][] = [
    [["serve", "007", "--name", "1e3"], ["007"], { ...rest, name: "1e3" }],
    [["serve", "--name=007", "--port=0x10"], [], { ...rest, name: "007", port: "0x10" }],
    [["serve", "--name", "", "--port="], [], { ...rest, name: "", port: "" }],
    [["serve", "--load-model", "007", "--load-model", "7"], [], { ...rest, loadModel: ["007", "7"] }],
    [["serve", "--json", "0.50", "--no-pin"], ["0.50"], { ...rest, json: true, pin: false }],
    [["serve", "--name", "true", "false"], ["false"], { ...rest, name: "true" }],
    [["serve", "--name=a=-1", "--rate", "1,2"], [], { ...rest, name: "a=-1", rate: "1,2" }],
    [["serve", "serve", "--name", "serve"], ["serve"], { ...rest, name: "serve" }],
    [["--port", "7", "serve"], [], { ...rest, port: "7" }],
    [["serve", "--name", "\u{1F600}\n"], [], { ...rest, name: "\u{1F600}\n" }],
  ];
  for (const [words, args, options] of cases) t.same(parsed(...words), [args, options], JSON.stringify(words));
  t.end();
});

t.test("a negative number is the value of an option that takes one, and an option elsewhere", (t) => {
  t.match(parsed("serve", "--port", "-1", "--name", "-.5x"), [[], { port: "-1", name: "-.5x" }]);
  t.match(parsed("serve", "--json", "-1"), [[], { json: true, "1": true }]);
  t.match(parsed("serve", "--name", "--json"), [[], { name: true, json: true }], "as cac has a missing value");
  t.end();
});

t.test("an option of one value is refused where it has several", (t) => {
  const refused = { code: "INVALID_ARGUMENT", message: "--port: takes one value" };
  t.throws(() => parsed("serve", "--port", "1", "--port", "2"), refused);
  t.throws(() => parsed("serve", "--port.x=1"), { message: "Unknown option `--port.x=1`" });
  t.match(parsed("serve", "--rate", "1", "--rate", "2"), [[], { rate: ["1", "2"] }]);
  t.end();
});
