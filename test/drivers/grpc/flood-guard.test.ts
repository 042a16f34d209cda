import t from "tap";
import { FloodGuard } from "../../../src/drivers/grpc/http2/flood-guard.js";

t.test("a quiet connection may be kept alive for days, and a flood ends it", async (t) => {
  let now = 0;
  const guard = new FloodGuard(() => now);
  const control = (): void => guard.control();
  for (let ping = 0; ping < 50_000; ping++) {
    now += 10_000;
    guard.control();
  }
  for (let frame = 0; frame < 999; frame++) guard.control();
  t.throws(control, { code: 11 });
  now += 1000;
  for (let frame = 0; frame < 9; frame++) guard.control();
  t.throws(control, "ten a second are forgiven");
  guard.useful();
  for (let frame = 0; frame < 1000; frame++) guard.control();
  t.throws(control, "a message makes up for all");
});

t.test("requests given up are weighed against those answered", async (t) => {
  let now = 0;
  const guard = new FloodGuard(() => now);
  guard.answered();
  for (let request = 0; request < 2000; request++) guard.reset();
  guard.answered();
  guard.reset();
  t.throws(() => guard.reset(), { code: 11 });
  now += 5000;
  for (let request = 0; request < 2000; request++) guard.reset();
  t.throws(() => guard.reset());
});
