#include "engine.h"

namespace headrace {
namespace {

Scheduler::Options scheduler_options(const ModelConfig& config, const ModelSession& session,
                                     const Calibration& calibration) {
  Scheduler::Options options;
  options.max_batch = calibration.max_batch;
  options.max_delay = duration(config.max_delay_micros, 1000);
  options.queue_size = config.queue_size;
  options.queue_bytes = static_cast<size_t>(std::max<int64_t>(0, config.queue_bytes));
  options.lanes = calibration.lanes;
  options.states.record_bytes = record_layout(session.plan()).bytes;
  options.states.max_states = config.max_states;
  options.states.ttl = duration(config.state_ttl_millis, 1'000'000);
  options.states.evict = config.evict;
  return options;
}

}  // namespace

Engine::Engine(const ModelConfig& config)
    : session_(config, cpu_device()),
      calibration_(calibrate(session_, config)),
      scheduler_(session_, scheduler_options(config, session_, calibration_)) {}

}  // namespace headrace
