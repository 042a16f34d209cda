// Counters of one model. Guarded by the scheduler's mutex; read as one consistent copy.
#pragma once

#include <cstdint>
#include <vector>

#include "clock.h"

namespace headrace {

struct Stats {
  uint64_t succeeded = 0;  // steps that gave outputs
  uint64_t failed = 0;     // the model failed
  uint64_t cancelled = 0;
  uint64_t timed_out = 0;
  uint64_t refused = 0;  // never ran: queue, state table or memory full, or closing
  uint64_t batches = 0;
  uint64_t dispatched_full = 0;
  uint64_t dispatched_idle = 0;
  uint64_t dispatched_delay = 0;
  Nanos queue_time = 0;   // summed over steps: submit to start of the run
  Nanos gather_time = 0;  // summed over batches
  Nanos run_time = 0;
  Nanos scatter_time = 0;
  std::vector<uint64_t> batch_sizes;  // by number of rows
  uint64_t waiting = 0;               // now
  uint64_t running = 0;               // now
  uint64_t idle_lanes = 0;            // now: lanes that wait for work
  uint64_t live_states = 0;           // now
  uint64_t evicted_states = 0;
  uint64_t state_bytes = 0;  // allocated
};

}  // namespace headrace
