// Held steps, and closing: what drains, what is cancelled, and that nobody waits for ever.
#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

#include "client.h"
#include "served.h"

namespace headrace {
namespace {

using testing::Client;
using testing::ending;
using testing::holding;
using testing::let_pass;
using testing::Served;
using testing::with_timeout;

using Floats = std::vector<float>;

Floats four(float value) { return Floats(4, value); }

TEST_CASE("held: the state changes only when the step is released with commit") {
  for (const uint32_t lanes : {0, 1, 2}) {
    CAPTURE(lanes);
    Served served("accumulator", {.lanes = lanes});
    Client client(served);
    const StepSpec a = served.of("a");
    CHECK(client.step(holding(a), four(1), false) == four(1));
    CHECK(served.scheduler.stats().live_states == 0);
    CHECK(client.step(holding(a), four(2), true) == four(2));
    CHECK(client.step(holding(a), four(50), false) == four(52));
    CHECK(client.step(holding(a), four(3), true) == four(5));
    CHECK(client.step(a, four(1)) == four(6));
  }
}

TEST_CASE("held: successors of the state id wait for the release, other ids do not") {
  for (const uint32_t lanes : {0, 1}) {
    Served served("accumulator", {.lanes = lanes});
    Client client(served);
    const StepSpec a = served.of("a");
    const uint32_t held = client.submit(holding(a), four(1));
    const uint32_t behind = client.submit(a, four(10));
    CHECK(client.wait(held).code == Code::Ok);
    CHECK(client.step(served.of("b"), four(5)) == four(5));
    CHECK_FALSE(client.completed(behind));
    const bool commit = lanes == 0;
    client.release(held, commit);
    CHECK(client.result(behind) == (commit ? four(11) : four(10)));
  }
}

TEST_CASE("held: its row stays as it was while other batches run") {
  Served served("accumulator");
  Client client(served);
  const StepSpec a = served.of("a");
  const uint32_t held = client.submit(holding(a), four(1));
  CHECK(client.wait(held).code == Code::Ok);
  for (int i = 0; i < 10; ++i) client.step(served.of("b"), four(7));
  CHECK(client.read<float>(held) == four(1));
  client.release(held, true);
  CHECK(client.step(a, four(1)) == four(2));
}

TEST_CASE("held with end: a commit frees the state, a rollback keeps the old") {
  Served served("accumulator");
  Client client(served);
  const StepSpec a = served.of("a");
  client.step(a, four(1));
  client.step(holding(ending(a)), four(1), false);
  CHECK(client.step(a, four(1)) == four(2));
  client.step(holding(ending(a)), four(1), true);
  CHECK(served.scheduler.stats().live_states == 0);
}

TEST_CASE("held, with context: the commit keeps the context too") {
  ModelConfig config = testing::model("context_middle");
  config.context.push_back({"x", 2, 2});
  Served served(config);
  Client client(served);
  const StepSpec a = served.of("a");
  client.step(holding(a), {1, 2, 3, 4}, true);
  client.step(holding(a), {9, 9, 9, 9}, false);
  CHECK(client.step(a, {5, 6, 7, 8}) == Floats{0, 0, 1, 2, 5, 6, 0, 0, 3, 4, 7, 8});
}

TEST_CASE("closed with drain: everything queued is finished, nothing new is taken") {
  for (const uint32_t lanes : {0, 1, 4}) {
    CAPTURE(lanes);
    Served served("accumulator", {.lanes = lanes, .max_batch = 2});
    Client client(served);
    const StepSpec a = served.of("a");
    std::vector<uint32_t> steps;
    for (int i = 0; i < 10; ++i) steps.push_back(client.submit<float>(i % 2 == 0 ? a : StepSpec{}, four(1)));
    served.scheduler.close(true);
    for (int i = 0; i < 10; ++i) {
      CHECK(client.completed(steps[i]));
      const int made = i % 2 == 0 ? i / 2 + 1 : 1;
      CHECK(client.result(steps[i]) == four(static_cast<float>(made)));
    }
    CHECK(client.try_submit({}, four(1)) == Code::Unavailable);
    served.scheduler.close(true);
    served.scheduler.close(false);
  }
}

TEST_CASE("closed without drain: what is queued ends as unavailable, the states are as before") {
  for (const uint32_t lanes : {0, 1}) {
    Served served("accumulator", {.lanes = lanes});
    Client client(served);
    const StepSpec a = served.of("a");
    CHECK(client.step(a, four(1)) == four(1));
    std::vector<uint32_t> steps;
    if (lanes > 0) {
      // A lane may take what is queued before the close: keep it busy.
      served.device.hold_running();
      const uint32_t running = client.submit(served.of("b"), four(1));
      served.scheduler.kick();
      served.device.wait_held();
      for (int i = 0; i < 5; ++i) steps.push_back(client.submit<float>(a, four(1)));
      std::thread closing([&] { served.scheduler.close(false); });
      for (const uint32_t step : steps) CHECK(client.outcome(step) == Code::Unavailable);
      served.device.let_go();
      closing.join();
      CHECK(client.outcome(running) == Code::Ok);
    } else {
      for (int i = 0; i < 5; ++i) steps.push_back(client.submit<float>(a, four(1)));
      served.scheduler.close(false);
      for (const uint32_t step : steps) CHECK(client.outcome(step) == Code::Unavailable);
    }
    const Stats stats = served.scheduler.stats();
    CHECK(stats.failed == 0);
    CHECK(stats.refused == 5);
    CHECK(stats.live_states == (lanes > 0 ? 2 : 1));
  }
}

TEST_CASE("closed with drain while queued steps expire: the close ends") {
  // A queue of one: while the late step waits, whether the close has begun can be asked without queueing more.
  Served served("accumulator", {.lanes = 1, .queue_size = 1});
  Client client(served);
  // The lane is kept where it wakes its submitter: between the batch that it has finished and the one that has expired.
  std::promise<void> finished;
  std::promise<void> go_on;
  std::atomic<bool> first = true;
  const auto queue = std::make_shared<CompletionQueue>([&] {
    if (!first.exchange(false)) return;
    finished.set_value();
    go_on.get_future().wait();
  });
  const Floats x = four(1);
  const InputBytes input{reinterpret_cast<const std::byte*>(x.data()), x.size() * sizeof(float)};
  uint32_t index = 0;
  served.device.hold_running();
  REQUIRE(served.scheduler.submit(*queue, {}, {&input, 1}, index) == Code::Ok);
  served.scheduler.kick();
  served.device.wait_held();
  const uint32_t late = client.submit(with_timeout({}, 1), x);
  let_pass(2000);
  std::thread closing([&] { served.scheduler.close(true); });
  while (client.try_submit({}, x) != Code::Unavailable) std::this_thread::yield();
  served.device.let_go();
  finished.get_future().wait();
  // Time for the close to look and wait again; without it the test would pass too easily, never fail.
  for (int i = 0; i < 10'000; ++i) std::this_thread::yield();
  go_on.set_value();
  closing.join();
  CHECK(client.outcome(late) == Code::DeadlineExceeded);
}

TEST_CASE("closed with drain while a held step has successors: its release lets them finish") {
  for (const uint32_t lanes : {0, 1}) {
    CAPTURE(lanes);
    Served served("accumulator", {.lanes = lanes});
    Client client(served);
    const StepSpec a = served.of("a");
    const uint32_t held = client.submit(holding(a), four(1));
    const uint32_t behind = client.submit(a, four(10));
    CHECK(client.wait(held).code == Code::Ok);
    std::thread closing([&] { served.scheduler.close(true); });
    client.release(held, true);
    closing.join();
    CHECK(client.completed(behind));
    CHECK(client.result(behind) == four(11));
  }
}

TEST_CASE("closed with drain while the holder goes away instead") {
  for (const uint32_t lanes : {0, 1}) {
    Served served("accumulator", {.lanes = lanes});
    Client stays(served);
    const StepSpec a = served.of("a");
    Client leaves(served);
    const uint32_t held = leaves.submit(holding(a), four(1));
    CHECK(leaves.wait(held).code == Code::Ok);
    const uint32_t behind = stays.submit(a, four(10));
    std::thread closing([&] { served.scheduler.close(true); });
    served.scheduler.detach(leaves.queue());
    closing.join();
    CHECK(stays.completed(behind));
    CHECK(stays.result(behind) == four(10));
  }
}

TEST_CASE("closed with a step half written: publishing it is refused") {
  Served served("accumulator", {.lanes = 1});
  Client client(served);
  uint32_t index = 0;
  REQUIRE(served.scheduler.begin(client.queue(), {}, {}, index) == Code::Ok);
  REQUIRE(served.scheduler.append(index, 0, testing::bytes_of(four(1))) == Code::Ok);
  served.scheduler.close(true);
  CHECK(served.scheduler.publish(index) == Code::Unavailable);
}

TEST_CASE("two close at once: both return when all is finished") {
  Served served("accumulator", {.lanes = 2});
  Client client(served);
  served.device.hold_running();
  const uint32_t running = client.submit<float>({}, four(1));
  served.scheduler.kick();
  served.device.wait_held();
  std::thread one([&] { served.scheduler.close(true); });
  std::thread two([&] { served.scheduler.close(false); });
  served.device.let_go();
  one.join();
  two.join();
  CHECK(client.completed(running));
  client.release(running);
}

TEST_CASE("a delayed batch does not hold up a close") {
  Served served("accumulator", {.lanes = 1, .max_delay = Nanos{3'600'000'000'000}});
  Client client(served);
  const uint32_t step = client.submit<float>({}, four(1));
  served.scheduler.kick();
  served.scheduler.close(true);
  CHECK(client.completed(step));
  CHECK(client.result(step) == four(1));
}

TEST_CASE("outputs outlive the scheduler for those who hold them") {
  std::shared_ptr<Buffer> rows;
  {
    Served served("accumulator");
    Client client(served);
    const Completion done = client.wait(client.submit<float>({}, four(3)));
    rows = served.scheduler.output_buffer(done.batch, 0);
  }
  CHECK(testing::values_of<float>({rows->data(), 16}) == four(3));
}

}  // namespace
}  // namespace headrace
