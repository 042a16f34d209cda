// What is counted, and what is not: every number against what was done.
#include <doctest/doctest.h>

#include <numeric>

#include "client.h"
#include "served.h"

namespace headrace {
namespace {

using testing::Client;
using testing::let_pass;
using testing::Served;
using testing::total;

using Floats = std::vector<float>;

Floats four(float value) { return Floats(4, value); }

uint64_t requests(const Stats& stats, Code code) { return stats.requests[static_cast<size_t>(code)]; }

TEST_CASE("a batch: one wait for each step, one run, and each request has the whole run") {
  Served served("accumulator");
  Client client(served);
  std::vector<uint32_t> steps;
  for (int i = 0; i < 3; ++i) steps.push_back(client.submit<float>({}, four(1)));
  for (const uint32_t step : steps) CHECK(client.outcome(step) == Code::Ok);
  const Stats stats = served.scheduler.stats();
  CHECK(requests(stats, Code::Ok) == 3);
  CHECK(total(stats.request_time) == 3);
  CHECK(total(stats.queue_time) == 3);
  CHECK(total(stats.gather_time) == 1);
  CHECK(total(stats.run_time) == 1);
  CHECK(total(stats.scatter_time) == 1);
  CHECK(stats.runs[3].runs == 1);
  CHECK(stats.runs[3].run == stats.run_time.sum());
  CHECK(stats.runs[3].run > 0);
  CHECK(stats.phases.count == 3);
  CHECK(stats.phases.queue == stats.queue_time.sum());
  CHECK(stats.phases.gather == 3 * stats.gather_time.sum());
  CHECK(stats.phases.run == 3 * stats.run_time.sum());
  CHECK(stats.phases.scatter == 3 * stats.scatter_time.sum());
  CHECK(stats.request_time.sum() >= stats.phases.queue + stats.phases.run);
  CHECK(stats.failed_request_time == 0);
  CHECK(stats.last_run_millis > 1'500'000'000'000);
}

TEST_CASE("of a request of several rows the last one counts") {
  Served served("accumulator");
  Client client(served);
  const uint32_t first = client.submit<float>({.row = true}, four(1));
  const uint32_t second = client.submit<float>({.row = true}, four(2));
  const uint32_t last = client.submit<float>({}, four(3));
  for (const uint32_t step : {first, second, last}) CHECK(client.outcome(step) == Code::Ok);
  const Stats stats = served.scheduler.stats();
  CHECK(stats.succeeded == 3);
  CHECK(requests(stats, Code::Ok) == 1);
  CHECK(total(stats.request_time) == 1);
  CHECK(stats.phases.count == 1);
  CHECK(stats.phases.run == stats.run_time.sum());
  CHECK(total(stats.queue_time) == 3);
}

TEST_CASE("an inner step is no request, but its phases are known") {
  Served served("accumulator");
  Client client(served);
  CHECK(client.outcome(client.submit<float>({.inner = true}, four(1))) == Code::Ok);
  const uint32_t cancelled = client.submit<float>({.inner = true}, four(1));
  CHECK(served.scheduler.cancel(cancelled, Code::Cancelled));
  CHECK(client.outcome(cancelled) == Code::Cancelled);
  const Stats stats = served.scheduler.stats();
  CHECK(stats.succeeded == 1);
  CHECK(stats.cancelled == 1);
  CHECK(stats.phases.count == 1);
  CHECK(total(stats.request_time) == 0);
  CHECK(std::accumulate(stats.requests.begin(), stats.requests.end(), uint64_t{0}) == 0);
  CHECK(stats.failed_request_time == 0);
}

TEST_CASE("what fails is counted by its code, with its time, and in no histogram of successes") {
  Served served("picky");
  Client client(served);
  CHECK(client.outcome(client.submit<int64_t>({}, {7})) == Code::InvalidArgument);
  const uint32_t late = client.submit<int64_t>({.timeout_micros = 1}, {1});
  const uint32_t cancelled = client.submit<int64_t>({}, {1});
  CHECK(served.scheduler.cancel(cancelled, Code::Cancelled));
  let_pass(2000);
  CHECK(client.outcome(late) == Code::DeadlineExceeded);
  CHECK(client.outcome(cancelled) == Code::Cancelled);
  const Stats stats = served.scheduler.stats();
  CHECK(requests(stats, Code::InvalidArgument) == 1);
  CHECK(requests(stats, Code::DeadlineExceeded) == 1);
  CHECK(requests(stats, Code::Cancelled) == 1);
  CHECK(requests(stats, Code::Ok) == 0);
  CHECK(stats.failed_request_time >= 2000);
  CHECK(total(stats.request_time) == 0);
  CHECK(stats.phases.count == 0);
  // It ran, so it is in the histograms of batches; but no run succeeded.
  CHECK(total(stats.run_time) == 1);
  CHECK(stats.batch_sizes[1] == 1);
  CHECK(stats.runs[1].runs == 0);
  CHECK(stats.last_run_millis == 0);
}

TEST_CASE("a refused step is no request of the engine's: its submitter knows at once") {
  Served served("accumulator", {.queue_size = 1});
  Client client(served);
  const uint32_t taken = client.submit<float>({}, four(1));
  CHECK(client.try_submit({}, four(1)) == Code::ResourceExhausted);
  CHECK(client.outcome(taken) == Code::Ok);
  const Stats stats = served.scheduler.stats();
  CHECK(stats.refused == 1);
  CHECK(requests(stats, Code::ResourceExhausted) == 0);
  CHECK(requests(stats, Code::Ok) == 1);
}

TEST_CASE("the wait of a step that came in pieces begins when it is whole") {
  Served served("accumulator");
  Client client(served);
  uint32_t index = 0;
  REQUIRE(served.scheduler.begin(client.queue(), {}, {}, index) == Code::Ok);
  const std::vector<std::byte> bytes = testing::bytes_of(four(1));
  REQUIRE(served.scheduler.append(index, 0, bytes) == Code::Ok);
  const Nanos upload = 20'000'000;
  let_pass(upload);
  const Nanos before = now_nanos();
  REQUIRE(served.scheduler.publish(index) == Code::Ok);
  CHECK(client.outcome(index) == Code::Ok);
  CHECK(served.scheduler.stats().request_time.sum() <= now_nanos() - before);
}

TEST_CASE("the times of one step are those of its batch") {
  Served served("accumulator");
  Client client(served);
  const uint32_t one = client.submit<float>({}, four(1));
  const uint32_t two = client.submit<float>({}, four(2));
  client.wait(one);
  client.wait(two);
  const StepTimes times = served.scheduler.times_of(two);
  const Stats stats = served.scheduler.stats();
  CHECK(times.rows == 2);
  CHECK(times.run.gather == stats.gather_time.sum());
  CHECK(times.run.run == stats.run_time.sum());
  CHECK(times.run.scatter == stats.scatter_time.sum());
  CHECK(times.queue + served.scheduler.times_of(one).queue == stats.queue_time.sum());
  client.release(one);
  client.release(two);
}

TEST_CASE("the engine stalls while steps are in it and no batch ends") {
  Served served("accumulator", {.lanes = 1});
  Client client(served);
  CHECK(served.scheduler.stalled() == 0);
  served.device.hold_running();
  const uint32_t held = client.submit<float>({}, four(1));
  served.scheduler.kick();
  served.device.wait_held();
  const uint32_t waiting = client.submit<float>({}, four(1));
  const Nanos before = served.scheduler.stalled();
  CHECK(before > 0);
  let_pass(1'000'000);
  CHECK(served.scheduler.stalled() >= before + 1'000'000);
  CHECK(served.scheduler.stats().stalled >= before + 1'000'000);
  served.device.let_go();
  CHECK(client.outcome(held) == Code::Ok);
  CHECK(client.outcome(waiting) == Code::Ok);
  CHECK(served.scheduler.stalled() == 0);
}

TEST_CASE("another lane's batch is progress, and so is nothing left to do") {
  Served served("accumulator", {.lanes = 2, .max_batch = 1});
  Client client(served);
  served.device.hold_running();
  const uint32_t held = client.submit<float>({}, four(1));
  served.scheduler.kick();
  served.device.wait_held();
  const Nanos long_time = 50'000'000;
  let_pass(long_time);
  CHECK(served.scheduler.stalled() >= long_time);
  const Nanos before = now_nanos();
  CHECK(client.outcome(client.submit<float>({}, four(2))) == Code::Ok);
  CHECK(served.scheduler.stalled() <= now_nanos() - before);
  served.device.let_go();
  CHECK(client.outcome(held) == Code::Ok);
  CHECK(served.scheduler.stalled() == 0);
}

TEST_CASE("steps that were all cancelled in the queue do not stall it") {
  Served served("accumulator", {.lanes = 1, .max_delay = Nanos{3'600'000'000'000}});
  Client client(served);
  const uint32_t step = client.submit<float>({}, four(1));
  let_pass(1'000'000);
  CHECK(served.scheduler.stalled() >= 1'000'000);
  CHECK(served.scheduler.cancel(step, Code::Cancelled));
  CHECK(client.outcome(step) == Code::Cancelled);
  CHECK(served.scheduler.stalled() == 0);
}

}  // namespace
}  // namespace headrace
