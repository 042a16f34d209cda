/** The `headrace` command as people type it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import type { ModelDescription } from "../../src/engine/surface.js";
import { VERSION } from "../../src/version.js";
import { headrace, serveCommand } from "../support/cli.js";
import { CLI, fixture, GRU, SILERO, VAD_MODULE } from "../support/paths.js";
import { distance, GruReference, TOLERANCE } from "../support/reference.js";
import { gruInput } from "../support/steps.js";

t.test("help and version", async (t) => {
  for (const args of [[], ["--help"]]) {
    const { code, stdout } = await headrace(t, ...args);
    t.equal(code, 0);
    for (const command of ["serve [target]", "inspect <model>"]) t.ok(stdout.includes(command), command);
  }
  const serve = await headrace(t, "serve", "--help");
  t.equal(serve.code, 0);
  for (const option of [
    "--port",
    "--host",
    "--tokens",
    "--tls-key",
    "--insecure",
    "--grace",
    "--max-batch",
    "--constant",
    "--state-ttl",
  ]) {
    t.ok(serve.stdout.includes(option), option);
  }
  const inspect = await headrace(t, "inspect", "--help");
  t.equal(inspect.code, 0);
  t.ok(inspect.stdout.includes("--json"));
  t.ok((await headrace(t, "--version")).stdout.includes(VERSION));
});

t.test("who reads only the beginning of what it prints hears no complaint", async (t) => {
  const pipe = spawn("bash", [
    "-c",
    `"$0" "$1" inspect "$2" --json | true; exit "\${PIPESTATUS[0]}"`,
    process.execPath,
    CLI,
    GRU,
  ]);
  let stderr = "";
  pipe.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code] = (await once(pipe, "close")) as [number];
  t.equal(code, 128 + 13, "as of a process that SIGPIPE has ended");
  t.equal(stderr, "");
});

type Inspected = ModelDescription & { name: string; file: string };

t.test("inspect --json tells what the model is", async (t) => {
  const gru = await headrace(t, "inspect", GRU, "--json");
  t.equal(gru.code, 0);
  t.match(JSON.parse(gru.stdout) as Inspected, {
    name: "gru512",
    file: GRU,
    stateful: true,
    stateBytes: 256,
    batchable: true,
    inputs: [{ name: "input", datatype: "FP32", modelShape: [-1, 512], batchAxis: 0, context: 0 }],
    outputs: [{ name: "output", rowShape: [8] }],
    states: [{ name: "state", output: "stateN", rowBytes: 256 }],
    constants: [],
  });
  const silero = await headrace(t, "inspect", SILERO, "--constant", "sr=16000", "--context", "input=64", "--json");
  t.equal(silero.code, 0);
  t.match(JSON.parse(silero.stdout) as Inspected, {
    stateful: true,
    stateBytes: 2 * 128 * 4 + 64 * 4,
    inputs: [{ name: "input", context: 64 }],
    states: [{ name: "state", output: "stateN", batchAxis: 1, rowShape: [2, 128] }],
    constants: ["sr"],
  });
  const text = await headrace(t, "inspect", GRU);
  t.equal(text.code, 0);
  for (const part of ["gru512", "inputs", "state -> stateN", "256 B a stream", "batch axis 0"]) {
    t.ok(text.stdout.includes(part), part);
  }
});

t.test("serve of a bare model is stateful without code", async (t) => {
  const { url, command } = await serveCommand(t, GRU, "--max-states", "1", "--execution", "lanes", "--lanes", "1");
  const client = new HeadraceClient({ url });
  const reference = await GruReference.load();
  const alone = reference.stream();
  const step = async (seed: number, stateId?: string) => {
    const { output } = await client.predict<{ output: number[][] }>(
      { input: [...gruInput(seed)] },
      stateId === undefined ? {} : { stateId },
    );
    return output[0] ?? [];
  };
  t.ok(distance(await step(1, "s"), await alone.step(gruInput(1))) <= TOLERANCE);
  const second = await alone.step(gruInput(2));
  t.ok(distance(await step(2, "s"), second) <= TOLERANCE);
  const fresh = await step(2);
  t.ok(distance(fresh, await reference.stream().step(gruInput(2))) <= TOLERANCE);
  t.ok(distance(fresh, second) > 1e-3, "the state matters");
  await t.rejects(step(1, "another"), { code: "RESOURCE_EXHAUSTED" }, "--max-states is heeded");
  t.match(await command.stop(), { code: 0, stderr: "" });
});

t.test("a name that looks like a number stays what was typed", async (t) => {
  for (const name of ["007", "1e3"]) {
    const { url, command } = await serveCommand(t, fixture("accumulator"), "--name", name);
    t.match(command.stdout, `headrace: ${name} is listening on`);
    t.match(await (await fetch(`${url}/v2/models/${name}`)).json(), { name });
    t.equal((await command.stop()).code, 0);
  }
});

t.test("what the user got wrong is exit status 2, with what it was", async (t) => {
  const wrong: [string[], RegExp][] = [
    [["fly"], /there is no command 'fly'; see headrace --help/],
    [["serve"], /expected a model file or a module, or --models DIR/],
    [["serve", GRU, "--colour", "red"], /Unknown option `--colour`/],
    [["serve", GRU, "--port", "http"], /--port: expected an integer from 0 to 65535, got 'http'/],
    [["serve", GRU, "--port", "-1"], /--port: expected an integer from 0 to 65535, got '-1'/],
    [["serve", GRU, "--grace", "-1"], /--grace: expected a number of at least 0, got '-1'/],
    [["serve", GRU, "--state-ttl", "-5"], /--state-ttl: expected a number above 0, got '-5'/],
    [["serve", GRU, "--max-delay", "-5"], /--max-delay: expected an integer of at least 0, got '-5'/],
    [["serve", GRU, "--context", "x=abc"], /--context x: expected an integer of at least 1, got 'abc'/],
    [["serve", GRU, "--name", ""], /expected a name, got ""/],
    [["serve", GRU, "--name", "a", "--name", "b"], /--name: takes one value/],
    [["bench compare", "a", "b", "--threshold", "-3"], /--threshold: expected 0 per cent or more, .* got '-3'/],
    [["serve", GRU, "--port", "70000"], /port: expected an integer from 0 to 65535/],
    [["serve", GRU, "--grace", "long"], /--grace/],
    [["serve", GRU, "--execution", "fast"], /--execution: expected one of auto, inline, lanes/],
    [["serve", GRU, "--lanes", "0"], /lanes: expected an integer of at least 1/],
    [["serve", GRU, "--constant", "sr"], /--constant: expected input=value, got 'sr'/],
    [["serve", VAD_MODULE, "--max-batch", "4"], /--max-batch.*model file/],
    [["inspect", VAD_MODULE], /expected a model file that ends in \.onnx/],
    [["inspect"], /missing required args/],
    [
      ["serve", "no/such/module.mjs"],
      /cannot load no\/such\/module\.mjs: Cannot find module '\S+no\/such\/module\.mjs'$/m,
    ],
    [["serve", "test/fixtures"], /test\/fixtures: is a directory, .* --models test\/fixtures/],
    [["serve", GRU, "--lanes", "2", "--execution", "inline"], /--lanes: .*--execution inline/],
    [["serve", GRU, "--port", "0", "--host", "no.such.host.invalid", "--insecure"], /host: .*no\.such\.host\.invalid/],
    [
      ["tune", GRU, "--objective", "p99 < 1 s", "--frames-per-second", "10"],
      /--frames-per-second: goes with --streams/,
    ],
    [["bench", GRU, "--frame-rate", "10"], /--frame-rate: goes with --streams/],
    [["bench", GRU, "--rows", "2", "--stateless", "--protocol", "engine"], /--rows: .*engine/],
  ];
  const outcomes = wrong.map(async ([args, message]) => ({ args, message, outcome: await headrace(t, ...args) }));
  for (const { args, message, outcome } of await Promise.all(outcomes)) {
    t.equal(outcome.code, 2, args.join(" "));
    t.match(outcome.stderr, message);
    t.match(outcome.stderr, /^headrace: INVALID_ARGUMENT: /);
    t.notMatch(outcome.stderr, / at .*\.js:/, "no stack");
    t.equal(outcome.stdout, "");
  }
});

t.test("what fails is exit status 1, with the code in the message", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "headrace-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const missing = join(folder, "missing.onnx");
  for (const command of ["serve", "inspect"]) {
    const { code, stderr } = await headrace(t, command, missing);
    t.equal(code, 1);
    t.match(stderr, /^headrace: MODEL_NOT_FOUND: .*missing\.onnx/);
  }
  const corrupt = join(folder, "corrupt.onnx");
  await writeFile(corrupt, "GIF89a");
  t.match(await headrace(t, "inspect", corrupt), { code: 1, stderr: /^headrace: MODEL_INVALID: / });
  const other = createServer();
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  const taken = await headrace(t, "serve", GRU, "--port", String(port));
  t.equal(taken.code, 1);
  t.match(
    taken.stderr,
    new RegExp(`^headrace: PORT_IN_USE: cannot listen on 127\\.0\\.0\\.1:${port}: .*\\n$`),
    "and once",
  );
  const elsewhere = await headrace(t, "serve", GRU, "--port", "0", "--host", "203.0.113.1", "--insecure");
  t.match(elsewhere, { code: 1, stderr: /PORT_IN_USE: cannot listen on 203\.0\.113\.1/ });
});

t.test("a module may export a pipeline or a function; anything else is refused", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "headrace-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const write = async (name: string, text: string) => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  const imported = `import model from ${JSON.stringify(VAD_MODULE)};`;
  for (const [name, text] of [
    ["pipeline.mjs", `${imported} export default model.pipeline;`],
    ["function.mjs", `${imported} export default async () => model;`],
  ] as const) {
    const { url, command } = await serveCommand(t, await write(name, text));
    await new HeadraceClient({ url }).wait();
    command.signal("SIGINT");
    t.equal((await command.exited).code, 0, name);
  }
  const nothing = await headrace(t, "serve", await write("nothing.mjs", "export default 7;"));
  t.match(nothing, { code: 2, stderr: /must default-export an Inference, a Pipeline or a function/ });
  const throws = await headrace(t, "serve", await write("throws.mjs", "throw new Error('no licence');"));
  t.match(throws, { code: 2, stderr: /cannot load .*throws\.mjs: no licence/ });
});
