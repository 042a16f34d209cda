/** How often a client may ask, by a clock of the test's own. */
import t from "tap";
import { clientOfAddress, RateLimiter, tooOften } from "../../src/serving/rate-limiter.js";

t.test("a burst, then as many as come back", async (t) => {
  let now = 1000;
  const limiter = new RateLimiter({ requestsPerSecond: 4, burst: 2 }, () => now);
  t.same([limiter.take("a"), limiter.take("a")], [0, 0]);
  t.equal(limiter.take("a"), 0.25, "seconds until the next one");
  t.equal(limiter.take("b"), 0, "another client has its own");
  now += 125;
  t.equal(limiter.take("a"), 0.125, "being refused costs nothing");
  now += 125;
  t.equal(limiter.take("a"), 0);
  now += 60_000;
  t.same([limiter.take("a"), limiter.take("a"), limiter.take("a")], [0, 0, 0.25], "never more than the burst");
  t.equal(limiter.refused, 3);
});

t.test("less than one a second", async (t) => {
  let now = 0;
  const limiter = new RateLimiter({ requestsPerSecond: 0.1 }, () => now);
  t.equal(limiter.take("a"), 0);
  t.ok(Math.abs(limiter.take("a") - 10) < 1e-9);
  now += 10_000;
  t.equal(limiter.take("a"), 0);
});

t.test("clients beyond the limit are forgotten, those seen for longest first", async (t) => {
  const limiter = new RateLimiter({ requestsPerSecond: 1, burst: 1 }, () => 0, 100);
  t.equal(limiter.take("first"), 0);
  for (let i = 0; i < 10_000; i++) {
    limiter.take(`client ${i}`);
    if (i % 10 === 0) t.equal(limiter.take("first"), 1, { diagnostic: false });
    if (limiter.clients > 100) t.fail(`${limiter.clients} clients are remembered`);
  }
  t.equal(limiter.take("client 0"), 0, "it begins afresh");
});

t.test("what is thrown says how long to wait", async (t) => {
  const limiter = new RateLimiter({ requestsPerSecond: 0.5 }, () => 0);
  limiter.check("a");
  t.throws(() => limiter.check("a"), {
    code: "RESOURCE_EXHAUSTED",
    retryAfterSeconds: 2,
    message: /next one in 2\.00 s/,
  });
  t.match(tooOften(31.2).message, /in 32 s/);
});

t.test("a client without a name is its address, in IPv6 its network", async (t) => {
  t.equal(clientOfAddress("10.1.2.3"), "@10.1.2.3");
  t.equal(clientOfAddress("::ffff:10.1.2.3"), "@10.1.2.3");
  t.equal(clientOfAddress("2001:db8:1:2:3:4:5:6"), "@2001:db8:1:2::/64");
  t.equal(clientOfAddress("2001:0db8:0001:0002:0000:0000:0000:0001"), "@2001:db8:1:2::/64");
  t.equal(clientOfAddress("2001:db8::1"), "@2001:db8:0:0::/64");
  t.equal(clientOfAddress("::1"), "@0:0:0:0::/64");
});
