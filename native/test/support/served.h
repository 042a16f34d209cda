// A fixture model behind a scheduler, on a device that tests can hold and fill.
#pragma once

#include <numeric>
#include <thread>

#include "engine.h"
#include "gate_device.h"
#include "models.h"
#include "scheduler.h"

namespace headrace::testing {

// What a test varies; the rest has the engine's defaults.
struct Serving {
  uint32_t lanes = 0;  // 0: inline
  uint32_t max_batch = 8;
  uint32_t queue_size = 4096;
  size_t queue_bytes = SIZE_MAX;
  uint32_t max_states = 10'000;
  EvictPolicy evict = EvictPolicy::Refuse;
  Nanos max_delay = 0;
};

class Served {
 public:
  explicit Served(const ModelConfig& config, const Serving& serving = {})
      : lanes(serving.lanes), session(config, device), scheduler(session, options(session, serving)) {
    // A lane that is still starting takes steps as they come, without a kick: no test could count on its batches.
    while (scheduler.stats().idle_lanes < lanes) std::this_thread::yield();
  }
  explicit Served(const std::string& name, const Serving& serving = {}) : Served(model(name), serving) {}

  // A step of the named state id. The pin stays, so that the key is the same every time.
  StepSpec of(const std::string& name) {
    StepSpec spec;
    spec.state = scheduler.pin(name);
    return spec;
  }

  const uint32_t lanes;
  GateDevice device;
  ModelSession session;
  Scheduler scheduler;

 private:
  static Scheduler::Options options(const ModelSession& session, const Serving& serving) {
    Scheduler::Options options;
    options.max_batch = session.plan().batchable ? serving.max_batch : 1;
    options.max_delay = serving.max_delay;
    options.queue_size = serving.queue_size;
    options.queue_bytes = serving.queue_bytes;
    options.lanes = serving.lanes;
    options.states.record_bytes = record_layout(session.plan()).bytes;
    options.states.max_states = serving.max_states;
    options.states.ttl = INT64_MAX / 2;
    options.states.evict = serving.evict;
    return options;
  }
};

// Returns once the clock shows more than `nanos` from now: for deadlines, without sleeping.
inline void let_pass(Nanos nanos) {
  for (const Nanos until = now_nanos() + nanos; now_nanos() <= until;) {
  }
}

inline StepSpec with_timeout(StepSpec spec, int64_t micros) {
  spec.timeout_micros = micros;
  return spec;
}
inline StepSpec starting(StepSpec spec) {
  spec.start = true;
  return spec;
}
inline StepSpec ending(StepSpec spec) {
  spec.end = true;
  return spec;
}
inline StepSpec holding(StepSpec spec) {
  spec.hold = true;
  return spec;
}

inline uint64_t total(const DurationHistogram& histogram) {
  return std::accumulate(histogram.counts().begin(), histogram.counts().end(), uint64_t{0});
}

}  // namespace headrace::testing
