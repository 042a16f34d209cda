// Steps through a real model: order, isolation, start and end, batches, limits. Every case runs inline and on lanes.
#include "scheduler.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "client.h"
#include "served.h"

namespace headrace {
namespace {

using testing::Client;
using testing::ending;
using testing::Served;
using testing::starting;

using Floats = std::vector<float>;

Floats four(float value) { return Floats(4, value); }

// Inline, one lane, several lanes.
template <typename Case>
void everywhere(Case&& run) {
  for (const uint32_t lanes : {0, 1, 2, 4}) {
    CAPTURE(lanes);
    run(lanes);
  }
}

TEST_CASE("a state id's steps continue each other, in the order submitted, however many are queued") {
  everywhere([](uint32_t lanes) {
    Served served("ledger", {.lanes = lanes});
    Client client(served);
    const StepSpec a = served.of("a");
    std::vector<uint32_t> steps;
    for (int i = 1; i <= 20; ++i) steps.push_back(client.submit<float>(a, Floats(2, static_cast<float>(i))));
    float expected = 0;
    for (int i = 1; i <= 20; ++i) {
      expected = std::fmod(expected * 31 + static_cast<float>(i), 65521.0F);
      CHECK(client.result(steps[i - 1]) == Floats(2, expected));
    }
    CHECK(served.scheduler.stats().batches == 20);
  });
}

TEST_CASE("state ids do not see each other, although they share batches") {
  everywhere([](uint32_t lanes) {
    Served served("accumulator", {.lanes = lanes});
    Client client(served);
    std::vector<StepSpec> ids;
    for (int id = 0; id < 8; ++id) ids.push_back(served.of("id-" + std::to_string(id)));
    for (int round = 1; round <= 5; ++round) {
      std::vector<uint32_t> steps;
      for (int id = 0; id < 8; ++id) steps.push_back(client.submit<float>(ids[id], four(static_cast<float>(id))));
      for (int id = 0; id < 8; ++id) CHECK(client.result(steps[id]) == four(static_cast<float>(id * round)));
    }
    CHECK(served.scheduler.stats().live_states == 8);
  });
}

TEST_CASE("steps that wait together run together: one batch, one wake-up") {
  Served served("accumulator");
  Client client(served);
  Client other(served);
  std::vector<uint32_t> steps;
  for (int i = 0; i < 5; ++i) steps.push_back(client.submit<float>({}, four(1)));
  other.outcome(other.submit<float>({}, four(1)));
  CHECK(client.wakes() == 1);
  CHECK(other.wakes() == 0);
  client.drain();
  CHECK(client.finished() == steps);
  const Stats stats = served.scheduler.stats();
  CHECK(stats.batches == 1);
  CHECK(stats.batch_sizes[6] == 1);
  CHECK(stats.dispatched_idle == 1);
  for (const uint32_t step : steps) client.release(step);
}

TEST_CASE("more steps than a batch holds fill batches") {
  Served served("accumulator", {.max_batch = 4});
  Client client(served);
  std::vector<uint32_t> steps;
  for (int i = 0; i < 10; ++i) steps.push_back(client.submit<float>({}, four(static_cast<float>(i))));
  for (int i = 0; i < 10; ++i) CHECK(client.result(steps[i]) == four(static_cast<float>(i)));
  const Stats stats = served.scheduler.stats();
  CHECK(stats.batch_sizes[4] == 2);
  CHECK(stats.batch_sizes[2] == 1);
  CHECK(stats.dispatched_full == 2);
}

TEST_CASE("without a state id every step begins at zero and leaves nothing") {
  Served served("accumulator");
  Client client(served);
  CHECK(client.step({}, four(3)) == four(3));
  CHECK(client.step({}, four(3)) == four(3));
  CHECK(served.scheduler.stats().live_states == 0);
}

TEST_CASE("start begins afresh, end frees afterwards") {
  everywhere([](uint32_t lanes) {
    Served served("accumulator", {.lanes = lanes});
    Client client(served);
    const StepSpec a = served.of("a");
    CHECK(client.step(a, four(1)) == four(1));
    CHECK(client.step(a, four(1)) == four(2));
    CHECK(client.step(starting(a), four(5)) == four(5));
    CHECK(client.step(ending(a), four(1)) == four(6));
    CHECK(served.scheduler.stats().live_states == 0);
    CHECK(client.step(a, four(7)) == four(7));
    CHECK(client.step(starting(ending(a)), four(1)) == four(1));
    CHECK(served.scheduler.stats().live_states == 0);
  });
}

TEST_CASE("an end with successors already queued: they begin afresh") {
  everywhere([](uint32_t lanes) {
    Served served("accumulator", {.lanes = lanes});
    Client client(served);
    const StepSpec a = served.of("a");
    const uint32_t first = client.submit(a, four(1));
    const uint32_t last = client.submit(ending(a), four(1));
    const uint32_t fresh = client.submit(a, four(10));
    const uint32_t next = client.submit(a, four(1));
    CHECK(client.result(first) == four(1));
    CHECK(client.result(last) == four(2));
    CHECK(client.result(fresh) == four(10));
    CHECK(client.result(next) == four(11));
    CHECK(served.scheduler.stats().live_states == 1);
  });
}

TEST_CASE("opening and ending streams does not grow memory") {
  Served served("accumulator");
  Client client(served);
  uint64_t bytes = 0;
  for (int i = 0; i < 10'000; ++i) {
    const uint32_t key = served.scheduler.pin("stream-" + std::to_string(i));
    StepSpec spec;
    spec.state = key;
    spec.end = true;
    client.outcome(client.submit<float>(spec, four(1)));
    served.scheduler.unpin(key);
    if (i == 0) bytes = served.scheduler.stats().state_bytes;
  }
  CHECK(served.scheduler.stats().state_bytes == bytes);
  CHECK(served.scheduler.stats().live_states == 0);
}

TEST_CASE("a NaN stays in its row and in its state") {
  everywhere([](uint32_t lanes) {
    Served served("accumulator", {.lanes = lanes});
    Client client(served);
    const StepSpec good = served.of("good");
    const StepSpec bad = served.of("bad");
    for (int round = 1; round <= 3; ++round) {
      const uint32_t a = client.submit(good, four(1));
      const uint32_t b = client.submit(bad, four(std::numeric_limits<float>::quiet_NaN()));
      CHECK(client.result(a) == four(static_cast<float>(round)));
      CHECK(std::isnan(client.result(b)[0]));
    }
    CHECK(client.step(starting(bad), four(2)) == four(2));
  });
}

TEST_CASE("a model that refuses a step leaves every state of its batch untouched, and says why") {
  everywhere([](uint32_t lanes) {
    Served served("picky", {.lanes = lanes});
    Client client(served);
    const StepSpec a = served.of("a");
    const StepSpec b = served.of("b");
    const StepSpec fresh = served.of("fresh");
    CHECK(client.result(client.submit<int64_t>(a, {1})) == Floats{10});
    CHECK(client.result(client.submit<int64_t>(b, {2})) == Floats{100});
    const uint32_t wrong = client.submit<int64_t>(a, {7});
    CHECK(client.wait(wrong).code == Code::InvalidArgument);
    CHECK(testing::contains(served.scheduler.error_of(wrong), "out of"));
    client.release(wrong);
    CHECK(client.outcome(client.submit<int64_t>(fresh, {-9})) == Code::InvalidArgument);
    CHECK(client.result(client.submit<int64_t>(a, {0})) == Floats{11});
    CHECK(client.result(client.submit<int64_t>(b, {0})) == Floats{101});
    const Stats stats = served.scheduler.stats();
    CHECK(stats.failed == 2);
    CHECK(stats.succeeded == 4);
    CHECK(stats.live_states == 2);
  });
}

TEST_CASE("a failing start or end leaves the state as it was, and successors run") {
  Served served("picky");
  Client client(served);
  const StepSpec a = served.of("a");
  CHECK(client.result(client.submit<int64_t>(a, {3})) == Floats{1000});
  const uint32_t start = client.submit<int64_t>(starting(a), {9});
  const uint32_t end = client.submit<int64_t>(ending(a), {9});
  const uint32_t next = client.submit<int64_t>(a, {0});
  CHECK(client.outcome(start) == Code::InvalidArgument);
  CHECK(client.outcome(end) == Code::InvalidArgument);
  CHECK(client.result(next) == Floats{1001});
}

TEST_CASE("a better priority runs first, equals in their order") {
  Served served("accumulator", {.max_batch = 1});
  Client client(served);
  StepSpec spec;
  std::vector<uint32_t> steps;
  for (const uint32_t priority : {200U, 0U, 1U, 0U}) {
    spec.priority = priority;
    steps.push_back(client.submit<float>(spec, four(1)));
  }
  client.wait(steps[0]);
  CHECK(client.finished() == std::vector<uint32_t>{steps[2], steps[1], steps[3], steps[0]});
  for (const uint32_t step : steps) client.release(step);
}

TEST_CASE("the queue is bounded; what is refused leaves nothing behind") {
  Served served("accumulator", {.queue_size = 2});
  Client client(served);
  const StepSpec a = served.of("a");
  const uint32_t first = client.submit(a, four(1));
  const uint32_t second = client.submit(a, four(1));
  CHECK(client.try_submit(a, four(1)) == Code::ResourceExhausted);
  CHECK(client.try_submit({}, four(1)) == Code::ResourceExhausted);
  CHECK(client.result(first) == four(1));
  CHECK(client.result(second) == four(2));
  CHECK(client.step(a, four(1)) == four(3));
  CHECK(served.scheduler.stats().refused == 2);
}

TEST_CASE("the queue's bound holds for steps that were begun before it was full") {
  Served served("accumulator", {.queue_size = 1});
  Client client(served);
  std::vector<uint32_t> begun(2);
  for (uint32_t& index : begun) {
    REQUIRE(served.scheduler.begin(client.queue(), {}, {}, index) == Code::Ok);
    REQUIRE(served.scheduler.append(index, 0, testing::bytes_of(four(1))) == Code::Ok);
  }
  CHECK(served.scheduler.publish(begun[0]) == Code::Ok);
  CHECK(served.scheduler.publish(begun[1]) == Code::ResourceExhausted);
  CHECK(served.scheduler.stats().waiting == 1);
  CHECK(client.result(begun[0]) == four(1));
}

TEST_CASE("states are bounded: refused when full, or the idle state stepped longest ago goes") {
  Served refusing("accumulator", {.max_states = 1});
  Client first(refusing);
  CHECK(first.step(refusing.of("a"), four(1)) == four(1));
  CHECK(first.try_submit(refusing.of("b"), four(1)) == Code::ResourceExhausted);
  CHECK(first.step(ending(refusing.of("a")), four(1)) == four(2));
  CHECK(first.step(refusing.of("b"), four(1)) == four(1));

  Served evicting("accumulator", {.max_states = 1, .evict = EvictPolicy::Lru});
  Client second(evicting);
  CHECK(second.step(evicting.of("a"), four(1)) == four(1));
  CHECK(second.step(evicting.of("b"), four(1)) == four(1));
  CHECK(second.step(evicting.of("a"), four(1)) == four(1));
  const std::vector<Eviction> evictions = evicting.scheduler.take_evictions();
  REQUIRE(evictions.size() == 2);
  CHECK(evictions[0].name == "a");
  CHECK(evictions[1].name == "b");
}

TEST_CASE("steps of the wrong size or of an unknown key are refused") {
  Served served("accumulator");
  Client client(served);
  CHECK(client.try_submit({}, Floats(3)) == Code::InvalidArgument);
  CHECK(client.try_submit({}, Floats(5)) == Code::InvalidArgument);
  StepSpec unknown;
  unknown.state = 12345;
  CHECK(client.try_submit(unknown, four(1)) == Code::InvalidArgument);
  uint32_t index = 0;
  CHECK(served.scheduler.submit(client.queue(), {}, {}, index) == Code::InvalidArgument);
  CHECK(served.scheduler.begin(client.queue(), {}, {{4}}, index) == Code::InvalidArgument);
  CHECK(served.scheduler.stats().waiting == 0);
  CHECK(client.step({}, four(1)) == four(1));
}

TEST_CASE("a step in pieces, and every way to get one wrong") {
  Served served("accumulator");
  Client client(served);
  const StepSpec a = served.of("a");
  const std::vector<std::byte> bytes = testing::bytes_of(four(2));
  uint32_t index = 0;
  REQUIRE(served.scheduler.begin(client.queue(), a, {}, index) == Code::Ok);
  CHECK(served.scheduler.append(index, 1, bytes) == Code::InvalidArgument);
  CHECK(served.scheduler.append(index, 0, {bytes.data(), 5}) == Code::Ok);
  CHECK(served.scheduler.append(index, 0, bytes) == Code::InvalidArgument);
  CHECK(served.scheduler.append(index, 0, {}) == Code::Ok);
  CHECK(served.scheduler.append(index, 0, {bytes.data() + 5, 11}) == Code::Ok);
  CHECK(served.scheduler.set_strings(index, 0, {"a"}) == Code::InvalidArgument);
  CHECK(served.scheduler.publish(index) == Code::Ok);
  CHECK(served.scheduler.publish(index) == Code::InvalidArgument);
  CHECK(served.scheduler.append(index, 0, bytes) == Code::InvalidArgument);
  CHECK(client.result(index) == four(2));
  uint32_t incomplete = 0;
  REQUIRE(served.scheduler.begin(client.queue(), a, {}, incomplete) == Code::Ok);
  CHECK(served.scheduler.publish(incomplete) == Code::InvalidArgument);
  uint32_t abandoned = 0;
  REQUIRE(served.scheduler.begin(client.queue(), a, {}, abandoned) == Code::Ok);
  served.scheduler.abandon(abandoned);
  CHECK(client.step(a, four(1)) == four(3));
}

TEST_CASE("steps too large to copy under the lock take the other way and mean the same") {
  for (const uint32_t lanes : {0, 1}) {
    ModelConfig config = testing::model("dynamic_length");
    config.shapes.push_back({"x", {-1, 10'000}});
    Served served(config, {.lanes = lanes});
    Client client(served);
    const uint32_t one = client.submit<float>({}, Floats(10'000, 1));
    const uint32_t two = client.submit<float>({}, Floats(10'000, 2));
    CHECK(client.result(one) == Floats{10'000});
    CHECK(client.result(two) == Floats{20'000});
    CHECK(client.try_submit({}, Floats(9'999)) == Code::InvalidArgument);
  }
}

TEST_CASE("a step that shares an urgent batch is not refused for what goes after that") {
  Served served("accumulator", {.max_batch = 2});
  Client client(served);
  // What a batch of each size costs.
  client.step(served.of("one"), four(1));
  std::vector<uint32_t> steps{client.submit(served.of("one"), four(1)), client.submit(served.of("two"), four(1))};
  for (const uint32_t step : steps) client.result(step);
  steps.clear();
  for (int i = 0; i < 4000; ++i) steps.push_back(client.submit(served.of(std::to_string(i)), four(1)));
  StepSpec spec = served.of("urgent");
  spec.priority = 1;
  const uint32_t urgent = client.submit(spec, four(1));
  uint32_t index = 0;
  // Time for some batches, not for two thousand; whether it is enough on a busy machine is another matter.
  const Code code = client.try_submit(testing::with_timeout(served.of("late"), 5'000), four(1), &index);
  CHECK(code == Code::Ok);
  CHECK(client.result(urgent) == four(1));
  if (code == Code::Ok) client.outcome(index);
  for (const uint32_t step : steps) client.result(step);
}

}  // namespace
}  // namespace headrace
