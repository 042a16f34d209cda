/** A server that is told to stop in the middle of its work, as an orchestrator does it. */
import t from "tap";
import { HeadraceClient } from "../../src/client/index.js";
import { serveCommand } from "../support/cli.js";
import { scrape, stepsTaken } from "../support/metrics.js";
import { fixture } from "../support/paths.js";
import { Peer } from "../support/sockets.js";

const LONG = 100_000;

t.test("SIGTERM answers what was accepted, closes streams with 1001, and exits with 0", async (t) => {
  const { url, command } = await serveCommand(t, fixture("busy"), "--execution", "lanes", "--lanes", "1");
  const client = new HeadraceClient({ url, model: "busy" });
  const stream = await Peer.open(t, `${url}/v2/models/busy/stream`);
  const request = (id: string) =>
    JSON.stringify({ id, inputs: [{ name: "trips", datatype: "INT64", shape: [1], data: [LONG] }] });
  const answers = Array.from({ length: 4 }, () => client.predict({ trips: [LONG] }));
  stream.send(request("a"));
  stream.send(request("b"));
  while ((await stepsTaken(url)) < 6) await new Promise((resolve) => setImmediate(resolve));
  command.signal("SIGTERM");
  for (const { y } of await Promise.all(answers)) t.same(y, [[32]]);
  t.match(await stream.nextJson(), { id: "a", outputs: [{ data: [32] }] });
  t.match(await stream.nextJson(), { id: "b", outputs: [{ data: [32] }] });
  t.match(await stream.closed, { code: 1001, reason: "UNAVAILABLE: the server is stopping" });
  t.match(await command.exited, { code: 0, signal: null, stderr: "" });
  await t.rejects(client.predict({ trips: [1] }), { code: "UNAVAILABLE" });
});

t.test("--grace bounds it", async (t) => {
  const { url, command } = await serveCommand(
    t,
    fixture("busy"),
    "--execution",
    "lanes",
    "--lanes",
    "1",
    "--grace",
    "0.05",
  );
  const client = new HeadraceClient({ url, model: "busy" });
  const outcome = client.predict({ trips: [2_000_000] }).then(
    () => "answered",
    (error: { code: string }) => error.code,
  );
  const running = async () => (await scrape(url)).value("headrace_batches_running");
  while ((await running()) === 0) await new Promise((resolve) => setImmediate(resolve));
  t.match(await command.stop(), { code: 0, stderr: "" });
  t.equal(await outcome, "UNAVAILABLE");
});
