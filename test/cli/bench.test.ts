/** `headrace bench` as people mistype it. */
import t from "tap";
import { headrace } from "../support/cli.js";
import { GRU } from "../support/paths.js";

t.setTimeout(120_000);

t.test("help tells of the options that matter", async (t) => {
  const { code, stdout } = await headrace(t, "bench", "--help");
  t.equal(code, 0);
  for (const option of ["--concurrency", "--rate", "--streams", "--sequence-length", "--input", "--html"]) {
    t.ok(stdout.includes(option), option);
  }
  t.notMatch(stdout, /--no-pin.*default/, "on is the default of what it switches off");
});

t.test("what cannot be measured is said at once", async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /expected a model file, a module or a URL/],
    [["nowhere.onnx"], /nowhere.onnx.*no such file|no such file.*nowhere.onnx/s],
    [["bench/models"], /INVALID_ARGUMENT: bench\/models: is a directory/],
    [[GRU, "--lanes", "2", "--execution", "inline"], /INVALID_ARGUMENT: --lanes: /],
    [["ftp://host"], /expected http:\/\/, ws:\/\/ or grpc:\/\//],
    [[GRU, "--protocol", "quic"], /--protocol: expected some of engine, .*got 'quic'/],
    [[GRU, "--concurrency", "0"], /--concurrency: expected an integer of at least 1, got '0'/],
    [[GRU, "--arrival", "weekly"], /--arrival: expected constant or poisson/],
    [[GRU, "--rows", "2"], /--rows: a step of a sequence is one row/],
    [[GRU, "--duration", "5", "--max-duration", "1"], /--max-duration: is less than --duration/],
    [["http://127.0.0.1:1", "--max-batch", "4"], /--max-batch: goes with a model file/],
    [["http://127.0.0.1:1"], /nobody answers at http:\/\/127.0.0.1:1/],
    [[GRU, "--json"], /--json/],
    [[GRU, "--generator-core", "9999"], /INVALID_ARGUMENT: --generator-core: expected some of the CPUs 0/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await headrace(t, "bench", ...args);
    t.not(code, 0, args.join(" "));
    t.match(stderr, message);
  }
});
