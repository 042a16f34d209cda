/** `headrace tune` with real servers. Objectives that anything meets, or nothing: no figure is judged here. */
import t from "tap";
import { headrace } from "../support/cli.js";
import { fixture, GRU } from "../support/paths.js";

const SHORT = ["--seconds", "0.1", "--warmup", "0.05", "--repetitions", "1", "--configurations"];

t.test("a recurrent model over a WebSocket, for the most throughput", async (t) => {
  const { code, stdout, stderr } = await headrace(
    t,
    "tune",
    GRU,
    "--objective",
    "max < 999 s",
    "--json",
    ...SHORT,
    "1",
  );
  t.equal(code, 0, stderr);
  const result = JSON.parse(stdout);
  t.equal(result.outcomes.length, 1);
  t.equal(result.cutShort, true);
  t.equal(result.winner.measured.errors, 0);
  t.match(result.paste.typescript, /^onnxCell\(\{\n {2}name: "gru512",/);
});

t.test("at a rate, and as streams; models of several inputs go over HTTP", async (t) => {
  const loads = [
    [GRU, ["--rate", "200", "--arrival", "constant"], "open"],
    [fixture("pair_fp32"), ["--streams", "4"], "streams"],
    [fixture("sequence_controls"), ["--streams", "4"], "streams"],
  ] as const;
  for (const [model, load, mode] of loads) {
    // A busy machine may not keep up, which is exit status 3: what counts here is that steps were answered.
    const { stdout, stderr } = await headrace(
      t,
      "tune",
      model,
      ...load,
      "--objective",
      "p99<60s",
      "--json",
      ...SHORT,
      "1",
    );
    const [outcome] = stdout === "" ? [] : JSON.parse(stdout).outcomes;
    t.match(outcome?.best, { load: { mode }, measured: { errors: 0 } }, `${model} ${stderr}`);
    t.ok(outcome?.best.measured.latencyMicros.p50 > 0);
    t.ok(outcome?.best.measured.meanBatch >= 1);
  }
});

t.test("nothing meets it", async (t) => {
  const { code, stdout } = await headrace(t, "tune", GRU, "--objective", "max < 1 us", ...SHORT, "2");
  t.equal(code, 3);
  t.match(stdout, /nothing that was tried meets "max < 1 us"\n {2}closest: /);
  t.match(stdout, /One run of the model for one step takes [\d.]+ us already/);
});

t.test("what cannot be tuned is refused before anything is served", async (t) => {
  const objective = ["--objective", "p99 < 1 s"];
  for (const [args, expected] of [
    [[GRU], /--objective: is missing, e\.g\. "p99 < 20 ms"/],
    [[GRU, ...objective, "--rate", "5", "--streams", "2"], /--streams: excludes another load/],
    [[GRU, ...objective, "--streams", "2", "--arrival", "constant"], /--arrival: goes with --rate/],
    [[GRU, ...objective, "--rate", "5", "--arrival", "late"], /--arrival: expected poisson or constant, got 'late'/],
    [[GRU, ...objective, "--shape", "audio=5"], /--shape: the model has no input 'audio'; its inputs are input/],
    [["server.mjs", ...objective], /expected a model file that ends in \.onnx/],
  ] as const) {
    const { code, stderr } = await headrace(t, "tune", ...args);
    t.equal(code, 2, args.join(" "));
    t.match(stderr, expected);
  }
});
