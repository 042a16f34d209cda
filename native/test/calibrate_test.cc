// The rules of calibration on made-up timings, and that a real model is timed at all.
#include "calibrate.h"

#include <doctest/doctest.h>

#include "models.h"

namespace headrace {
namespace {

using testing::contains;
using testing::error_of;
using testing::model;

constexpr Nanos kMicro = 1000;

// A model that costs `fixed` a run and `per_row` a row.
std::vector<BatchTiming> timings(Nanos fixed, Nanos per_row, uint32_t largest = 64) {
  std::vector<BatchTiming> result;
  for (uint32_t rows = 1; rows <= largest; rows *= 2) result.push_back({rows, fixed + per_row * rows});
  return result;
}

TEST_CASE("a model that gains from batching gets the largest batch that is no worse") {
  CHECK(decide({}, true, timings(100 * kMicro, 2 * kMicro), 4).max_batch == 64);
}

TEST_CASE("a model whose rows cost more in a batch runs one by one") {
  std::vector<BatchTiming> worse{{1, 1000 * kMicro}, {2, 2200 * kMicro}, {4, 4600 * kMicro}};
  CHECK(decide({}, true, worse, 4).max_batch == 1);
}

TEST_CASE("the best size lies where the cost of a row is least") {
  std::vector<BatchTiming> dip{{1, 100}, {2, 120}, {4, 160}, {8, 240}, {16, 800}};
  CHECK(decide({}, true, dip, 4).max_batch == 8);
}

TEST_CASE("a size that the user gave stands, but not against a model that cannot batch") {
  ModelConfig config;
  config.max_batch = 5;
  CHECK(decide(config, true, timings(100 * kMicro, 2 * kMicro), 4).max_batch == 5);
  CHECK(decide(config, false, timings(100 * kMicro, 2 * kMicro, 1), 4).max_batch == 1);
}

TEST_CASE("without timings a modest batch is assumed, on lanes") {
  const Calibration blind = decide({}, true, {}, 3);
  CHECK(blind.max_batch == 16);
  CHECK_FALSE(blind.run_inline);
  CHECK(blind.lanes == 3);
}

TEST_CASE("tiny models run inline, others on one lane for each core") {
  const Calibration tiny = decide({}, true, timings(10 * kMicro, kMicro), 4);
  CHECK(tiny.run_inline);
  CHECK(tiny.lanes == 0);
  const Calibration large = decide({}, true, timings(500 * kMicro, kMicro), 4);
  CHECK_FALSE(large.run_inline);
  CHECK(large.lanes == 4);
}

TEST_CASE("what the user says about execution stands") {
  ModelConfig config;
  config.execution = Execution::Lanes;
  config.lanes = 2;
  CHECK(decide(config, true, timings(10 * kMicro, kMicro), 4).lanes == 2);
  config.lanes = 0;
  config.execution = Execution::Lanes;
  config.intra_op_threads = 2;
  CHECK(decide(config, true, timings(10 * kMicro, kMicro), 4).lanes == 2);
  CHECK(decide(config, true, timings(10 * kMicro, kMicro), 1).lanes == 1);
  config = {};
  config.execution = Execution::Inline;
  CHECK(decide(config, true, timings(5000 * kMicro, kMicro), 4).run_inline);
  config = {};
  config.max_delay_micros = 500;
  CHECK_FALSE(decide(config, true, timings(10 * kMicro, kMicro), 4).run_inline);
}

TEST_CASE("inline execution cannot wait for more rows") {
  ModelConfig config;
  config.execution = Execution::Inline;
  config.max_delay_micros = 1;
  const auto error = error_of([&] { decide(config, true, {}, 4); });
  CHECK(error.first == Code::InvalidArgument);
  CHECK(contains(error.second, "maxDelayMicros"));
}

TEST_CASE("a real model is timed from one row up; dynamic shapes and bad zeros are not") {
  for (const char* name : {"accumulator", "no_batch", "dynamic_length", "refuses_zeros"}) {
    CAPTURE(name);
    ModelSession session(model(name), cpu_device());
    const Calibration calibration = calibrate(session, {});
    const bool timed = std::string(name) == "accumulator" || std::string(name) == "no_batch";
    CHECK(calibration.timings.empty() != timed);
    if (timed) CHECK(calibration.timings.front().rows == 1);
    CHECK(calibration.max_batch >= 1);
  }
  CHECK(usable_cores() >= 1);
}

}  // namespace
}  // namespace headrace
