// A step whose values the model refuses fails alone: those that share its run have the outputs and states that they
// would have had without it.
#include <doctest/doctest.h>

#include <bit>
#include <thread>

#include "client.h"
#include "served.h"

namespace headrace {
namespace {

using testing::Client;
using testing::Served;
using testing::total;

using Floats = std::vector<float>;
using Indices = std::vector<int64_t>;

constexpr int64_t kWrong = 7;
constexpr Floats::value_type kTable[] = {1, 10, 100, 1000};
constexpr uint32_t kRows = 5;

int64_t index_of(uint32_t row, uint32_t round) { return (row + round) % std::size(kTable); }

bool is_wrong(uint32_t pattern, uint32_t row) { return ((pattern >> row) & 1) != 0; }

// All rows of `pattern` that are wrong fail with the model's words; the others continue their states.
void step_all(Served& served, Client& client, uint32_t pattern, uint32_t round, Floats& sums) {
  std::vector<uint32_t> steps;
  for (uint32_t row = 0; row < kRows; ++row) {
    const int64_t index = is_wrong(pattern, row) ? kWrong : index_of(row, round);
    steps.push_back(client.submit<int64_t>(served.of(std::to_string(row)), {index}));
  }
  for (uint32_t row = 0; row < kRows; ++row) {
    CAPTURE(row);
    const Completion completion = client.wait(steps[row]);
    if (is_wrong(pattern, row)) {
      CHECK(completion.code == Code::InvalidArgument);
      CHECK(testing::contains(served.scheduler.error_of(steps[row]), "out of"));
    } else {
      sums[row] += kTable[index_of(row, round)];
      CHECK(completion.code == Code::Ok);
      CHECK(client.read<float>(steps[row]) == Floats{sums[row]});
    }
    client.release(steps[row]);
  }
}

TEST_CASE("whichever rows of a batch the model refuses, the others are as without them") {
  for (const uint32_t lanes : {0, 1, 3}) {
    CAPTURE(lanes);
    for (uint32_t pattern = 0; pattern < 1U << kRows; ++pattern) {
      CAPTURE(pattern);
      Served served("picky", {.lanes = lanes});
      Client client(served);
      Floats sums(kRows, 0);
      for (uint32_t round = 0; round < 3; ++round) step_all(served, client, round == 1 ? pattern : 0, round, sums);
      const Stats stats = served.scheduler.stats();
      CHECK(stats.failed == static_cast<uint64_t>(std::popcount(pattern)));
      CHECK(stats.succeeded == 3 * kRows - stats.failed);
      CHECK(stats.running == 0);
      CHECK(stats.waiting == 0);
    }
  }
}

TEST_CASE("one wrong row of eight costs three splits, and none where all are well") {
  Served served("picky", {.max_batch = 8});
  Client client(served);
  for (const uint64_t splits : {0, 3}) {
    std::vector<uint32_t> steps;
    for (int row = 0; row < 8; ++row) {
      steps.push_back(client.submit<int64_t>({}, {splits > 0 && row == 5 ? kWrong : 2}));
    }
    for (int row = 0; row < 8; ++row) {
      CHECK(client.outcome(steps[row]) == (splits > 0 && row == 5 ? Code::InvalidArgument : Code::Ok));
    }
    CHECK(served.scheduler.stats().splits == splits);
  }
  CHECK(served.scheduler.stats().batches == 2);
  CHECK(served.scheduler.stats().runs[2].runs == 1);
  CHECK(served.scheduler.stats().runs[4].runs == 1);
}

TEST_CASE("rows keep their contexts and places where the batch axis is not the first") {
  ModelConfig config = testing::model("picky_axis1");
  config.context.push_back({"index", 1, 0});
  Served served(config);
  Client client(served);
  std::vector<Indices> seen(kRows, Indices{0});  // what the context has
  Floats sums(kRows, 0);
  for (uint32_t round = 0; round < 4; ++round) {
    const uint32_t wrong = round % 2 == 1 ? round : kRows;
    std::vector<uint32_t> steps;
    std::vector<Indices> sent;
    for (uint32_t row = 0; row < kRows; ++row) {
      sent.push_back({index_of(row, round), row == wrong ? kWrong : index_of(row, round + 1)});
      steps.push_back(client.submit(served.of(std::to_string(row)), sent.back()));
    }
    for (uint32_t row = 0; row < kRows; ++row) {
      CAPTURE(round);
      CAPTURE(row);
      if (row == wrong) {
        CHECK(client.outcome(steps[row]) == Code::InvalidArgument);
        continue;
      }
      const Floats picked{kTable[seen[row][0]], kTable[sent[row][0]], kTable[sent[row][1]]};
      sums[row] += picked[0] + picked[1] + picked[2];
      REQUIRE(client.wait(steps[row]).code == Code::Ok);
      CHECK(client.read<float>(steps[row], 0) == picked);
      CHECK(client.read<float>(steps[row], 1) == Floats{sums[row]});
      client.release(steps[row]);
      seen[row] = {sent[row][1]};
    }
  }
}

TEST_CASE("steps that chose their shapes, and outputs that ONNX Runtime allocates") {
  Served served("picky_length");
  Client client(served);
  std::vector<uint32_t> steps;
  for (uint32_t row = 0; row < kRows; ++row) {
    const Indices indices{index_of(row, 0), row == 3 ? -kWrong : 0, index_of(row, 1)};
    uint32_t step = 0;
    REQUIRE(served.scheduler.begin(client.queue(), {}, {Shape{3}}, step) == Code::Ok);
    REQUIRE(served.scheduler.append(step, 0, testing::bytes_of(indices)) == Code::Ok);
    REQUIRE(served.scheduler.publish(step) == Code::Ok);
    steps.push_back(step);
  }
  for (uint32_t row = 0; row < kRows; ++row) {
    CAPTURE(row);
    CHECK(client.wait(steps[row]).code == (row == 3 ? Code::InvalidArgument : Code::Ok));
    if (row != 3)
      CHECK(client.read<float>(steps[row]) == Floats{kTable[index_of(row, 0)], 1, kTable[index_of(row, 1)]});
    client.release(steps[row]);
  }
  CHECK(served.scheduler.stats().batches == 1);
}

// Gathers until the first half of four rows runs: two of the whole run, one for each row that moved, its own first.
constexpr int kFirstHalf = 5;

// Four steps of which the first is wrong, in one batch on one lane that is held where their first half begins to run.
std::vector<uint32_t> held_in_first_half(Served& served, Client& client) {
  std::vector<uint32_t> steps;
  for (int row = 0; row < 4; ++row) {
    steps.push_back(client.submit<int64_t>(served.of(std::to_string(row)), {row == 0 ? kWrong : row}));
  }
  served.device.hold_gather(kFirstHalf);
  served.scheduler.kick();
  served.device.wait_held();
  return steps;
}

TEST_CASE("steps that are given up while their batch is split are not run again") {
  Served served("picky", {.lanes = 1});
  Client client(served);
  const std::vector<uint32_t> steps = held_in_first_half(served, client);
  CHECK(served.scheduler.cancel(steps[1], Code::Cancelled));
  CHECK(served.scheduler.cancel(steps[2], Code::Cancelled));
  const uint32_t next = client.submit<int64_t>(served.of("2"), {1});
  served.device.let_go();
  CHECK(client.outcome(steps[0]) == Code::InvalidArgument);
  CHECK(client.outcome(steps[1]) == Code::Cancelled);
  CHECK(client.outcome(steps[2]) == Code::Cancelled);
  CHECK(client.result(steps[3]) == Floats{1000});
  CHECK(client.result(next) == Floats{10});
  const Stats stats = served.scheduler.stats();
  CHECK(total(stats.run_time) == 5);  // of four, of two, of the wrong one, of the last one, of the next
  CHECK(stats.splits == 2);
  CHECK(stats.live_states == 2);
}

TEST_CASE("who closes or leaves while a batch is split has all of it ended") {
  for (const bool leaves : {false, true}) {
    CAPTURE(leaves);
    Served served("picky", {.lanes = 1});
    Client client(served);
    const std::vector<uint32_t> steps = held_in_first_half(served, client);
    if (leaves) served.scheduler.detach(client.queue());
    std::thread closing([&] { served.scheduler.close(true); });
    served.device.let_go();
    closing.join();
    const Stats stats = served.scheduler.stats();
    CHECK(stats.running == 0);
    CHECK(stats.waiting == 0);
    CHECK(stats.cancelled == (leaves ? 4 : 0));
    CHECK(stats.succeeded == (leaves ? 0 : 3));
    if (leaves) continue;
    CHECK(client.outcome(steps[0]) == Code::InvalidArgument);
    for (uint32_t row = 1; row < 4; ++row) CHECK(client.result(steps[row]) == Floats{kTable[row]});
  }
}

TEST_CASE("a held step in a batch that was split is kept or dropped as its holder says") {
  Served served("picky");
  Client client(served);
  StepSpec kept = served.of("kept");
  StepSpec dropped = served.of("dropped");
  kept.hold = dropped.hold = true;
  const uint32_t wrong = client.submit<int64_t>({}, {kWrong});
  const uint32_t one = client.submit<int64_t>(kept, {1});
  const uint32_t other = client.submit<int64_t>(dropped, {2});
  CHECK(client.outcome(wrong) == Code::InvalidArgument);
  CHECK(client.result(one, true) == Floats{10});
  CHECK(client.result(other, false) == Floats{100});
  CHECK(client.result(client.submit<int64_t>(served.of("kept"), {0})) == Floats{11});
  CHECK(client.result(client.submit<int64_t>(served.of("dropped"), {0})) == Floats{1});
}

TEST_CASE("without memory for a second batch all rows fail, and nobody is told that it was theirs") {
  Served served("picky");
  Client client(served);
  CHECK(client.result(client.submit<int64_t>(served.of("a"), {1})) == Floats{10});
  served.device.allow(0);
  const uint32_t good = client.submit<int64_t>(served.of("a"), {1});
  const uint32_t wrong = client.submit<int64_t>({}, {kWrong});
  for (const uint32_t step : {good, wrong}) {
    CHECK(client.wait(step).code == Code::Internal);
    CHECK(testing::contains(served.scheduler.error_of(step), "out of"));
    client.release(step);
  }
  CHECK(served.scheduler.stats().splits == 0);
  CHECK(client.result(client.submit<int64_t>(served.of("a"), {1})) == Floats{20});
}

}  // namespace
}  // namespace headrace
