// Who runs batches: lanes, or whoever submits.
#include <algorithm>
#include <exception>
#include <string>

#include "scheduler.h"
#include "thread_name.h"

namespace headrace {

void Scheduler::set_lanes(uint32_t count) {
  MutexLock lanes_lock(lanes_mutex_);
  {
    MutexLock lock(mutex_);
    if (closing_) throw Error(Code::Unavailable, "the model is being closed");
    wanted_lanes_ = count;
    work_.notify_all();
  }
  while (lanes_.size() > count) {
    lanes_.back().join();
    lanes_.pop_back();
  }
  try {
    lanes_.reserve(count);
    while (lanes_.size() < count) {
      lanes_.emplace_back([this, lane = static_cast<uint32_t>(lanes_.size())] { lane_loop(lane); });
    }
  } catch (const std::exception& failure) {
    MutexLock lock(mutex_);
    wanted_lanes_ = static_cast<uint32_t>(lanes_.size());
    throw Error(Code::ResourceExhausted,
                "no thread for each of " + std::to_string(count) + " lanes: " + failure.what());
  }
}

void Scheduler::lane_loop(uint32_t lane) {
  name_this_thread("headrace-lane" + std::to_string(lane));
  RunScratch scratch;
  while (lane < wanted_lanes_) {
    Decision decision;
    if (run_next(scratch, nullptr, decision)) continue;
    MutexLock lock(mutex_);
    if (lane >= wanted_lanes_) continue;
    // Whatever was queued since the decision was taken is seen here, under the same mutex.
    decision = next_dispatch(forming_, now_nanos(), closing_ ? 0 : options_.max_delay);
    if (decision.run) continue;
    if (closing_ && drained()) return;
    ++idle_lanes_;
    if (decision.wait_until) {
      work_.wait_until(mutex_, time_point_of(*decision.wait_until));
    } else {
      work_.wait(mutex_);
    }
    --idle_lanes_;
  }
  // What its last batch has let in is for those that stay.
  MutexLock lock(mutex_);
  if (!forming_.empty() && idle_lanes_ > 0) work_.notify_one();
}

bool Scheduler::run_inline(Nanos budget, const CompletionQueue* self, uint32_t most_rows) {
  thread_local RunScratch scratch;  // its memory serves the next call
  const Nanos end = now_nanos() + std::min(budget, kForever);
  uint32_t left = 0;
  {
    MutexLock lock(mutex_);
    left = std::min(rows_of_a_turn(), most_rows);
  }
  Decision decision;
  while (run_next(scratch, self, decision)) {
    if (left <= scratch.rows || now_nanos() >= end) break;
    left -= scratch.rows;
  }
  MutexLock lock(mutex_);
  return !forming_.empty();
}

// Batches that are full, or, where none is, what there is; and half of the steps behind them.
//
// A batch that is not full yet grows while the sockets are read, for the price of one turn. Streams that sent several
// steps ahead keep some of them here while the answers travel and the next steps arrive, so that the next turn's
// batches have as many streams as this one's.
uint32_t Scheduler::rows_of_a_turn() const {
  uint32_t formed = 0;
  uint32_t full = 0;
  for (const Forming& forming : forming_) {
    formed += forming.size;
    if (forming.full()) full += forming.size;
  }
  return (full > 0 ? full : formed) + (waiting_ - formed) / 2;
}

}  // namespace headrace
