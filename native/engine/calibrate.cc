#include "calibrate.h"

#include <algorithm>
#include <cstring>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "batch.h"
#include "status.h"

namespace headrace {
namespace {

// The bounds where the user gives none: a tiny model's large batch is still a short wait, and costs less per row.
constexpr uint32_t kLargestBatch = 64;
constexpr uint32_t kLargestTinyBatch = 128;
constexpr Nanos kTinyRun = 250'000;        // of kLargestBatch rows
constexpr uint32_t kDynamicBatch = 16;     // where the shapes, and so the cost of a row, are unknown
constexpr Nanos kSizeBudget = 60'000'000;  // timing one batch size
constexpr Nanos kTotalBudget = 400'000'000;
constexpr int kRuns = 7;
constexpr Nanos kInlineRun = 100'000;       // a single-row run up to this long does not hold up an event loop
constexpr Nanos kInlineRunAlone = 500'000;  // on a single core a lane would only take turns with that loop
constexpr double kWorthIt = 1.05;           // a larger batch must cost less per row by more than this factor

void zero(Batch& batch) {
  for (BatchInput& input : batch.inputs) {
    std::memset(input.rows.data(), 0, input.rows.bytes());
    if (input.model.data() != nullptr) std::memset(input.model.data(), 0, input.model.bytes());
  }
  for (BatchState& state : batch.states) std::memset(state.in.data(), 0, state.in.bytes());
}

Nanos median_run(ModelSession& session, Batch& batch, uint32_t rows) {
  session.run(batch, rows);  // the first run of a size allocates
  std::vector<Nanos> times;
  const Nanos begin = now_nanos();
  do {
    const Nanos before = now_nanos();
    session.run(batch, rows);
    times.push_back(now_nanos() - before);
  } while (times.size() < kRuns && now_nanos() - begin < kSizeBudget);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// The size to try after `last`; 0: none.
uint32_t next_size(const BatchTiming& last, uint32_t wanted) {
  if (wanted > 0) return last.rows >= wanted ? 0 : std::min(last.rows * 2, wanted);
  if (last.rows < kLargestBatch) return last.rows * 2;
  return last.rows < kLargestTinyBatch && last.nanos <= kTinyRun ? last.rows * 2 : 0;
}

// `wanted`: the largest size; 0: as large as pays.
std::vector<BatchTiming> measure(ModelSession& session, uint32_t wanted) {
  std::vector<BatchTiming> timings;
  if (!session.plan().fixed_inputs()) return timings;
  const Nanos begin = now_nanos();
  try {
    for (uint32_t rows = 1; rows > 0; rows = next_size(timings.back(), wanted)) {
      // Each size in a batch of its own: a slow model never gets to the large ones, nor pays for their memory.
      Batch batch(0, session.plan(), session.device(), rows);
      zero(batch);
      timings.push_back({rows, median_run(session, batch, rows)});
      if (now_nanos() - begin + 2 * timings.back().nanos > kTotalBudget) break;
    }
  } catch (const std::exception&) {
    // Zeros need not be a valid input, nor a larger batch fit the memory: decide with what there is.
  }
  return timings;
}

uint32_t best_size(const std::vector<BatchTiming>& timings) {
  const auto per_row = [](const BatchTiming& timing) { return static_cast<double>(timing.nanos) / timing.rows; };
  const BatchTiming* best = &timings.front();
  for (const BatchTiming& timing : timings) {
    if (per_row(timing) * kWorthIt < per_row(*best)) best = &timing;
  }
  // A larger batch that costs about the same per row takes bursts in fewer runs: take the largest that is no worse.
  const double bound = per_row(*best) * kWorthIt;
  for (const BatchTiming& timing : timings) {
    if (timing.rows > best->rows && per_row(timing) <= bound) best = &timing;
  }
  return best->rows;
}

}  // namespace

uint32_t usable_cores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1U, std::thread::hardware_concurrency());
}

Calibration decide(const ModelConfig& config, bool batchable, std::vector<BatchTiming> timings, uint32_t cores) {
  Calibration result;
  if (!batchable) {
    result.max_batch = 1;
  } else if (config.max_batch > 0) {
    result.max_batch = config.max_batch;
  } else {
    result.max_batch = timings.empty() ? kDynamicBatch : best_size(timings);
  }
  if (config.execution == Execution::Inline && config.max_delay_micros > 0) {
    throw Error(Code::InvalidArgument,
                "execution \"inline\" cannot wait: set maxDelayMicros to 0 or execution to \"lanes\"");
  }
  const bool tiny = !timings.empty() && timings.front().nanos <= (cores == 1 ? kInlineRunAlone : kInlineRun);
  result.run_inline = config.execution == Execution::Inline || (config.execution == Execution::Auto && tiny &&
                                                                config.max_delay_micros == 0 && config.lanes == 0);
  if (!result.run_inline) {
    const uint32_t runs_at_a_time = std::max(1U, cores / std::max(1U, config.intra_op_threads));
    result.lanes = config.lanes > 0 ? config.lanes : runs_at_a_time;
  }
  result.timings = std::move(timings);
  return result;
}

Calibration calibrate(ModelSession& session, const ModelConfig& config) {
  const bool batchable = session.plan().batchable;
  return decide(config, batchable, measure(session, batchable ? config.max_batch : 1), usable_cores());
}

}  // namespace headrace
