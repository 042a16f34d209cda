// Steps that do not end well: cancelled in each phase, timed out, or left by a submitter that goes away.
#include <doctest/doctest.h>

#include <thread>

#include "client.h"
#include "served.h"

namespace headrace {
namespace {

using testing::Client;
using testing::holding;
using testing::let_pass;
using testing::Served;
using testing::with_timeout;

using Floats = std::vector<float>;

Floats four(float value) { return Floats(4, value); }

TEST_CASE("cancelled while it forms: the others of its batch keep their rows") {
  Served served("accumulator");
  Client client(served);
  std::vector<uint32_t> steps;
  for (int i = 0; i < 5; ++i) {
    steps.push_back(client.submit<float>(served.of(std::to_string(i)), four(static_cast<float>(i))));
  }
  for (const int gone : {0, 2, 4}) CHECK(served.scheduler.cancel(steps[gone], Code::Cancelled));
  CHECK(client.wakes() == 1);
  CHECK(client.result(steps[1]) == four(1));
  CHECK(client.result(steps[3]) == four(3));
  for (const int gone : {0, 2, 4}) CHECK(client.outcome(steps[gone]) == Code::Cancelled);
  const Stats stats = served.scheduler.stats();
  CHECK(stats.cancelled == 3);
  CHECK(stats.succeeded == 2);
  CHECK(stats.live_states == 2);
  CHECK(stats.batch_sizes[2] == 1);
}

TEST_CASE("the last step of a forming batch cancelled: the batch is gone, its successor runs") {
  Served served("accumulator");
  Client client(served);
  const StepSpec a = served.of("a");
  const uint32_t first = client.submit(a, four(1));
  const uint32_t second = client.submit(a, four(10));
  CHECK(served.scheduler.cancel(first, Code::Cancelled));
  CHECK(client.result(second) == four(10));
  CHECK(client.outcome(first) == Code::Cancelled);
}

TEST_CASE("cancelled while it waits: first, middle and last of the queue") {
  Served served("accumulator");
  Client client(served);
  const StepSpec a = served.of("a");
  std::vector<uint32_t> steps;
  for (int i = 0; i < 6; ++i) steps.push_back(client.submit<float>(a, four(static_cast<float>(1 << i))));
  for (const int gone : {1, 3, 5}) CHECK(served.scheduler.cancel(steps[gone], Code::Cancelled));
  const uint32_t late = client.submit(a, four(100));
  CHECK(client.result(steps[0]) == four(1));
  CHECK(client.result(steps[2]) == four(5));
  CHECK(client.result(steps[4]) == four(21));
  CHECK(client.result(late) == four(121));
  for (const int gone : {1, 3, 5}) CHECK(client.outcome(steps[gone]) == Code::Cancelled);
}

TEST_CASE("cancelled while it runs: its outcome is thrown away, its state is as before, the batch's others count") {
  Served served("accumulator", {.lanes = 1});
  Client client(served);
  const StepSpec a = served.of("a");
  const StepSpec b = served.of("b");
  CHECK(client.step(a, four(1)) == four(1));
  served.device.hold_running();
  const uint32_t cancelled = client.submit(a, four(50));
  const uint32_t counted = client.submit(b, four(7));
  const uint32_t next = client.submit(a, four(2));
  served.scheduler.kick();
  served.device.wait_held();
  CHECK(served.scheduler.cancel(cancelled, Code::Cancelled));
  CHECK_FALSE(client.completed(cancelled));
  served.device.let_go();
  CHECK(client.outcome(cancelled) == Code::Cancelled);
  CHECK(client.result(counted) == four(7));
  CHECK(client.result(next) == four(3));
}

TEST_CASE("cancelled while the model itself runs, without a word from the test's device") {
  Served served("busy", {.lanes = 1});
  Client client(served);
  // So long that it is still running when the next step has been queued behind it and both were cancelled.
  const uint32_t running = client.submit<int64_t>({}, {200'000});
  const uint32_t forming = client.submit<int64_t>({}, {1});
  served.scheduler.kick();
  while (served.scheduler.stats().running == 0) std::this_thread::yield();
  CHECK(served.scheduler.cancel(running, Code::Cancelled));
  CHECK(served.scheduler.cancel(forming, Code::Cancelled));
  CHECK(client.outcome(running) == Code::Cancelled);
  CHECK(client.outcome(forming) == Code::Cancelled);
  CHECK(client.result(client.submit<int64_t>({}, {1})) == Floats{32});
}

TEST_CASE("cancelled too late: the step has completed, or its outcome is being written") {
  Served served("accumulator", {.lanes = 1});
  Client client(served);
  const StepSpec a = served.of("a");
  served.device.hold_committing();
  const uint32_t step = client.submit(a, four(1));
  served.scheduler.kick();
  served.device.wait_held();
  CHECK_FALSE(served.scheduler.cancel(step, Code::Cancelled));
  served.device.let_go();
  CHECK(client.wait(step).code == Code::Ok);
  CHECK_FALSE(served.scheduler.cancel(step, Code::Cancelled));
  client.release(step);
  CHECK_FALSE(served.scheduler.cancel(step, Code::Cancelled));
  CHECK(client.step(a, four(1)) == four(2));
}

TEST_CASE("a cancelled step takes its priority and its age with it") {
  Served served("accumulator", {.max_batch = 2});
  Client client(served);
  StepSpec urgent;
  urgent.priority = 1;
  StepSpec normal;
  StepSpec soon;
  soon.priority = 100;
  const uint32_t cancelled = client.submit(urgent, four(1));
  const uint32_t slow = client.submit(normal, four(1));
  const uint32_t fast = client.submit(soon, four(1));
  const uint32_t fast_too = client.submit(soon, four(1));
  CHECK(served.scheduler.cancel(cancelled, Code::Cancelled));
  client.wait(slow);
  CHECK(client.finished() == std::vector<uint32_t>{cancelled, fast, fast_too, slow});
  for (const uint32_t step : {cancelled, slow, fast, fast_too}) client.release(step);
}

TEST_CASE("a deadline that passes in the queue: never run, state as before, successors run") {
  Served served("accumulator");
  Client client(served);
  const StepSpec a = served.of("a");
  CHECK(client.step(a, four(1)) == four(1));
  constexpr int64_t kMicros = 100'000;  // much longer than these steps take, so that they are taken
  const uint32_t late = client.submit(with_timeout(a, kMicros), four(50));
  const uint32_t also_late = client.submit(with_timeout(served.of("b"), kMicros), four(50));
  const uint32_t waits_late = client.submit(with_timeout(a, kMicros), four(50));
  const uint32_t in_time = client.submit(with_timeout(a, 3'600'000'000), four(2));
  const uint32_t other = client.submit(served.of("c"), four(3));
  let_pass(kMicros * 1000);
  CHECK(client.result(other) == four(3));
  CHECK(client.result(in_time) == four(3));
  for (const uint32_t step : {late, also_late, waits_late}) CHECK(client.outcome(step) == Code::DeadlineExceeded);
  const Stats stats = served.scheduler.stats();
  CHECK(stats.timed_out == 3);
  CHECK(stats.batches == 3);
  CHECK(stats.batch_sizes[1] == 3);
  CHECK(stats.succeeded == 3);
  CHECK(stats.waiting == 0);
  CHECK(stats.live_states == 2);
}

TEST_CASE("a deadline that passes during the run: the outcome is thrown away, the state is as before") {
  Served served("accumulator", {.lanes = 1});
  Client client(served);
  const StepSpec a = served.of("a");
  CHECK(client.step(a, four(1)) == four(1));
  constexpr int64_t kMicros = 500'000;  // much longer than a lane takes to begin
  served.device.hold_running();
  const uint32_t late = client.submit(with_timeout(a, kMicros), four(50));
  served.scheduler.kick();
  served.device.wait_held();
  let_pass(kMicros * 1000);
  served.device.let_go();
  CHECK(client.outcome(late) == Code::DeadlineExceeded);
  CHECK(client.step(a, four(1)) == four(2));
}

TEST_CASE("a deadline that cannot be met for what waits before it is refused at once") {
  Served served("accumulator", {.lanes = 1});
  Client client(served);
  const StepSpec a = served.of("a");
  constexpr int64_t kRunMicros = 200'000;
  // From a run of that length the scheduler knows what one takes.
  served.device.hold_running();
  const uint32_t slow = client.submit(a, four(1));
  served.scheduler.kick();
  served.device.wait_held();
  let_pass(kRunMicros * 1000);
  served.device.let_go();
  CHECK(client.result(slow) == four(1));

  // Nothing is before it: it is tried, whatever runs took so far.
  CHECK(client.step(with_timeout(a, kRunMicros / 2), four(1)) == four(2));

  served.device.hold_running();
  const uint32_t running = client.submit(a, four(1));
  served.scheduler.kick();
  served.device.wait_held();
  CHECK(client.try_submit(with_timeout(served.of("b"), kRunMicros / 8), four(1)) == Code::DeadlineExceeded);
  CHECK(client.try_submit(with_timeout(a, kRunMicros / 8), four(1)) == Code::DeadlineExceeded);
  const uint32_t patient = client.submit(with_timeout(a, 3'600'000'000), four(1));
  CHECK(client.try_submit({}, four(1)) == Code::Ok);
  served.device.let_go();
  CHECK(client.result(running) == four(3));
  CHECK(client.result(patient) == four(4));
  const Stats stats = served.scheduler.stats();
  CHECK(stats.refused == 2);
  CHECK(stats.live_states == 1);
}

TEST_CASE("those a step shares its batch with are not before it") {
  Served served("accumulator", {.max_batch = 4});
  Client client(served);
  constexpr int64_t kRunMicros = 200'000;
  served.device.hold_running();
  const uint32_t slow = client.submit(served.of("a"), four(1));
  std::thread runner([&] { client.wait(slow); });
  served.device.wait_held();
  let_pass(kRunMicros * 1000);
  served.device.let_go();
  runner.join();
  client.release(slow);

  uint32_t steps[3];
  for (size_t i = 0; i < 3; ++i) {
    steps[i] = client.submit(with_timeout(served.of(std::to_string(i)), kRunMicros / 2), four(1));
  }
  for (const uint32_t step : steps) CHECK(client.result(step) == four(1));
}

TEST_CASE("the longest timeout that can be given is for ever") {
  Served served("accumulator");
  Client client(served);
  CHECK(client.step(with_timeout({}, INT64_MAX), four(1)) == four(1));
}

TEST_CASE("detach: what was queued, running, held or begun is gone, and others go on") {
  for (const uint32_t lanes : {0, 1}) {
    CAPTURE(lanes);
    Served served("accumulator", {.lanes = lanes});
    Client stays(served);
    const StepSpec a = served.of("a");
    uint32_t behind_held = 0;
    {
      Client leaves(served);
      CHECK(leaves.step(a, four(1)) == four(1));
      const uint32_t held = leaves.submit(holding(a), four(50));
      CHECK(leaves.wait(held).code == Code::Ok);
      leaves.submit(a, four(50));
      behind_held = stays.submit(a, four(2));
      leaves.submit(a, four(50));
      leaves.submit<float>({}, four(50));
      uint32_t begun = 0;
      REQUIRE(served.scheduler.begin(leaves.queue(), a, {}, begun) == Code::Ok);
      served.scheduler.detach(leaves.queue());
    }
    // Nobody kicks: detaching itself must have let the successor in.
    while (!stays.completed(behind_held)) std::this_thread::yield();
    CHECK(stays.result(behind_held) == four(3));
    CHECK(served.scheduler.stats().waiting == 0);
    CHECK(served.scheduler.stats().live_states == 1);
  }
}

TEST_CASE("detach while a batch runs: its rows are given back, the other submitter's count") {
  Served served("accumulator", {.lanes = 1});
  Client stays(served);
  const StepSpec a = served.of("a");
  const StepSpec b = served.of("b");
  uint32_t kept = 0;
  {
    Client leaves(served);
    served.device.hold_running();
    leaves.submit(a, four(50));
    kept = stays.submit(b, four(5));
    served.scheduler.kick();
    served.device.wait_held();
    served.scheduler.detach(leaves.queue());
  }
  served.device.let_go();
  CHECK(stays.result(kept) == four(5));
  CHECK(stays.step(a, four(1)) == four(1));
}

TEST_CASE("detach while the outcome is being written: it stands, and nothing is freed twice") {
  Served served("accumulator", {.lanes = 1});
  Client stays(served);
  const StepSpec a = served.of("a");
  uint32_t next = 0;
  {
    Client leaves(served);
    served.device.hold_committing();
    leaves.submit(a, four(50));
    leaves.submit(holding(served.of("b")), four(50));
    served.scheduler.kick();
    served.device.wait_held();
    next = stays.submit(a, four(1));
    served.scheduler.detach(leaves.queue());
  }
  served.device.let_go();
  CHECK(stays.result(next) == four(51));
  CHECK(stays.step(served.of("b"), four(1)) == four(1));
  CHECK(stays.step(a, four(1)) == four(52));
  CHECK(served.scheduler.stats().succeeded == 5);
}

TEST_CASE("dropping a busy state frees it after its last step; a stream that follows begins afresh") {
  Served served("accumulator");
  Client client(served);
  const StepSpec a = served.of("a");
  CHECK(client.step(a, four(1)) == four(1));
  const uint32_t last = client.submit(a, four(1));
  served.scheduler.drop_state(a.state);
  CHECK(client.result(last) == four(2));
  CHECK(served.scheduler.stats().live_states == 0);
  const uint32_t dropped = client.submit(a, four(1));
  served.scheduler.drop_state(a.state);
  const uint32_t fresh = client.submit(a, four(10));
  const uint32_t next = client.submit(a, four(10));
  CHECK(client.result(dropped) == four(1));
  CHECK(client.result(fresh) == four(10));
  CHECK(client.result(next) == four(20));
}

// A stream is dropped while its second step runs, which is held. Returns that step, whose outcome is 11.
uint32_t drop_while_running(Served& served, Client& client, const StepSpec& stream) {
  CHECK(client.step(stream, four(1)) == four(1));
  served.device.hold_running();
  const uint32_t step = client.submit(stream, four(10));
  served.scheduler.kick();
  served.device.wait_held();
  served.scheduler.drop_state(stream.state);
  return step;
}

TEST_CASE("a stream that follows a dropped one begins afresh, also where its first step is cancelled") {
  Served served("accumulator", {.lanes = 1});
  Client client(served);
  const StepSpec a = served.of("a");
  const uint32_t old = drop_while_running(served, client, a);
  const uint32_t first = client.submit(a, four(100));
  CHECK(served.scheduler.cancel(first, Code::Cancelled));
  served.device.let_go();
  CHECK(client.result(old) == four(11));
  CHECK(client.outcome(first) == Code::Cancelled);
  CHECK(served.scheduler.stats().live_states == 0);
  CHECK(client.step(a, four(1000)) == four(1000));
  CHECK(client.step(a, four(1)) == four(1001));
}

TEST_CASE("a stream that follows a dropped one begins afresh, also where its first step comes too late") {
  Served served("accumulator", {.lanes = 1});
  Client client(served);
  const StepSpec a = served.of("a");
  const uint32_t old = drop_while_running(served, client, a);
  const uint32_t first = client.submit(with_timeout(a, 50'000), four(100));
  const uint32_t second = client.submit(a, four(1000));
  let_pass(60'000'000);
  served.device.let_go();
  CHECK(client.result(old) == four(11));
  CHECK(client.outcome(first) == Code::DeadlineExceeded);
  CHECK(client.result(second) == four(1000));
}

}  // namespace
}  // namespace headrace
