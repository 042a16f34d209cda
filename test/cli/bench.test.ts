/** `headrace bench` as people mistype it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import t from "tap";
import { headrace } from "../support/cli.js";
import { GRU, ROOT } from "../support/paths.js";

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
    [["ftp://host"], /expected one of http:\/\/, https:\/\/, ws:\/\//],
    [[GRU, "--protocol", "quic"], /--protocol: expected some of engine, .*got 'quic'/],
    [[GRU, "--concurrency", "0"], /--concurrency: expected an integer of at least 1, got '0'/],
    [[GRU, "--arrival", "weekly"], /--arrival: goes with --rate/],
    [[GRU, "--rate", "5", "--arrival", "weekly"], /--arrival: expected poisson or constant, got 'weekly'/],
    [[GRU, "--no-pin", "--server-cores", "0"], /--server-cores: excludes --no-pin/],
    [[GRU, "--no-pin", "--generator-core", "0"], /--generator-core: excludes --no-pin/],
    [[GRU, "--rows", "2"], /--rows: a step of a sequence is one row/],
    [[GRU, "--duration", "5", "--max-duration", "1"], /--max-duration: is less than --duration/],
    [["http://127.0.0.1:1", "--max-batch", "4"], /--max-batch: goes with a model file/],
    [["http://127.0.0.1:1", "--realtime"], /INVALID_ARGUMENT: --realtime: goes with a model file/],
    [["http://127.0.0.1:1", "--threads", "2"], /INVALID_ARGUMENT: --threads: goes with a model file/],
    [[GRU, "--threads", "0"], /--threads: expected an integer of at least 1, got '0'/],
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

/** Serves as a measurement does, says where and as which process, and never ends. */
const MEASURING = `
  import { serveOwn } from "./dist/bench/target.js";
  const served = await serveOwn({ target: "${GRU}", serveArguments: [] }, "http-json");
  console.log(JSON.stringify({ pid: served.pid, port: served.endpoint("http-json").port }));
  setInterval(() => {}, 1000);`;

t.test("a measurement that is killed leaves no server behind", async (t) => {
  const options = ["--input-type=module", "--eval", MEASURING];
  const measuring = spawn(process.execPath, options, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  t.teardown(() => measuring.kill("SIGKILL"));
  const [line] = (await once(createInterface({ input: measuring.stdout }), "line")) as [string];
  const { pid, port } = JSON.parse(line) as { pid: number; port: number };
  const open = connect(port, "127.0.0.1");
  await once(open, "connect");
  measuring.kill("SIGKILL");
  // Reset by a server that is gone; one that is still there ends a connection without requests after a while.
  open.on("error", () => undefined);
  await once(open.resume(), "close");
  // Asked, not only connected to: a process that ends closes its connections before what listens.
  const answer = await fetch(`http://127.0.0.1:${port}/v2/health/live`).catch(() => undefined);
  if (answer !== undefined) process.kill(pid);
  t.equal(answer?.status, undefined);
});
