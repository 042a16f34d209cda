// Counters of one model. Guarded by the scheduler's mutex; read as one consistent copy.
//
// A *step* is a row in a batch. A *request* is what somebody asked for: one step, or several rows of which the last one
// stands for all (`StepSpec::row`). Steps that are part of a larger prediction (`StepSpec::inner`) are not requests of
// their own: whoever makes that prediction counts it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "clock.h"
#include "duration_histogram.h"

namespace headrace {

// By the numbers of Code.
inline constexpr size_t kCodes = 12;

// The runs of one number of rows that succeeded.
struct RunTotals {
  uint64_t runs = 0;
  Nanos gather = 0;
  Nanos run = 0;
  Nanos scatter = 0;
};

// What the rows of requests that succeeded spent where, each row the whole time of its batch's run.
struct RequestPhases {
  uint64_t count = 0;
  Nanos queue = 0;
  Nanos gather = 0;
  Nanos run = 0;
  Nanos scatter = 0;
};

struct Stats {
  uint64_t succeeded = 0;  // steps that gave outputs
  uint64_t failed = 0;     // the model failed, or refused the inputs
  uint64_t cancelled = 0;
  uint64_t timed_out = 0;
  uint64_t refused = 0;  // never ran: queue, state table or memory full, or closing
  uint64_t batches = 0;
  uint64_t dispatched_full = 0;
  uint64_t dispatched_idle = 0;
  uint64_t dispatched_delay = 0;
  uint64_t splits = 0;            // batches of several rows that the model refused, and that were run again in halves
  DurationHistogram queue_time;   // of steps: submit to start of the run
  DurationHistogram gather_time;  // of batches
  DurationHistogram run_time;
  DurationHistogram scatter_time;
  std::array<uint64_t, kCodes> requests{};  // by code: those that were taken and have ended
  DurationHistogram request_time;           // of those that succeeded: submit to settled
  Nanos failed_request_time = 0;            // of the others, summed
  RequestPhases phases;
  std::vector<uint64_t> batch_sizes;  // by number of rows
  std::vector<RunTotals> runs;        // by number of rows
  int64_t last_run_millis = 0;        // since 1970, when a run last succeeded; 0: never
  uint64_t waiting = 0;               // now
  uint64_t running = 0;               // now
  uint64_t idle_lanes = 0;            // now: lanes that wait for work
  Nanos stalled = 0;                  // now: how long steps have been here without any batch's end
  uint64_t live_states = 0;           // now
  uint64_t evicted_states = 0;
  uint64_t state_bytes = 0;  // allocated
};

}  // namespace headrace
