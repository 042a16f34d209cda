// Counting what happens, and telling it. A few additions for each step, under the mutex that is held anyway.
#include <chrono>

#include "scheduler.h"

namespace headrace {
namespace {

static_assert(kCodes == static_cast<size_t>(Code::Internal) + 1);

int64_t wall_clock_millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void Scheduler::count_dispatch(const Batch& batch, DispatchReason reason) {
  for (const Request* request : batch.rows) stats_.queue_time.add(batch.started - request->submitted);
  ++stats_.batches;
  ++stats_.batch_sizes[batch.rows.size()];
  if (reason == DispatchReason::Full) ++stats_.dispatched_full;
  if (reason == DispatchReason::Idle) ++stats_.dispatched_idle;
  if (reason == DispatchReason::Delay) ++stats_.dispatched_delay;
}

void Scheduler::count_run(const Batch& batch, bool ok, Nanos now) {
  last_progress_ = now;
  costs_.add(batch.rows.size(), now - batch.started);
  const auto& [gather, run, scatter] = batch.times;
  stats_.gather_time.add(gather);
  stats_.run_time.add(run);
  stats_.scatter_time.add(scatter);
  if (!ok) return;
  RunTotals& totals = stats_.runs[batch.rows.size()];
  ++totals.runs;
  totals.gather += gather;
  totals.run += run;
  totals.scatter += scatter;
  stats_.last_run_millis = wall_clock_millis();
}

void Scheduler::count_split(const Batch& batch, Nanos now) {
  last_progress_ = now;
  ++stats_.splits;
  stats_.gather_time.add(batch.times.gather);
  stats_.run_time.add(batch.times.run);
}

void Scheduler::count_end(const Request& request, Code code, Nanos now) {
  switch (code) {
    case Code::Ok:
      ++stats_.succeeded;
      break;
    case Code::Cancelled:
      ++stats_.cancelled;
      break;
    case Code::DeadlineExceeded:
      ++stats_.timed_out;
      break;
    case Code::ResourceExhausted:
    case Code::Unavailable:
      ++stats_.refused;
      break;
    default:
      ++stats_.failed;
      break;
  }
  if (request.step.row) return;
  if (code == Code::Ok) {
    const auto& [gather, run, scatter] = request.batch->times;
    RequestPhases& phases = stats_.phases;
    ++phases.count;
    phases.queue += request.batch->started - request.submitted;
    phases.gather += gather;
    phases.run += run;
    phases.scatter += scatter;
  }
  if (request.step.inner) return;
  ++stats_.requests[static_cast<size_t>(code)];
  if (code == Code::Ok) {
    stats_.request_time.add(now - request.submitted);
  } else {
    stats_.failed_request_time += now - request.submitted;
  }
}

Nanos Scheduler::stalled_at(Nanos now) const { return drained() ? 0 : now - last_progress_; }

Nanos Scheduler::stalled() {
  MutexLock lock(mutex_);
  return stalled_at(now_nanos());
}

StepTimes Scheduler::times_of(uint32_t index) {
  MutexLock lock(mutex_);
  const Request& request = at(index);
  if (request.phase != Phase::Completed || request.batch == nullptr) bug("times were asked for of an unfinished step");
  const Batch& batch = *request.batch;
  return {batch.started - request.submitted, batch.times, batch.ran};
}

Stats Scheduler::stats() {
  MutexLock lock(mutex_);
  Stats copy = stats_;
  copy.waiting = waiting_;
  copy.running = running_;
  copy.idle_lanes = idle_lanes_;
  copy.stalled = stalled_at(now_nanos());
  copy.live_states = states_.live();
  copy.evicted_states = states_.evicted();
  copy.state_bytes = states_.allocated_bytes();
  return copy;
}

}  // namespace headrace
