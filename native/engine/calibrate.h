// Decides from measurements how a model is run: how many rows a batch holds, and on which threads.
#pragma once

#include <vector>

#include "clock.h"
#include "model_config.h"
#include "model_session.h"

namespace headrace {

struct BatchTiming {
  uint32_t rows;
  Nanos nanos;  // one run, the median of several
};

struct Calibration {
  uint32_t max_batch = 1;
  bool run_inline = false;
  uint32_t lanes = 0;                // 0 when inline
  std::vector<BatchTiming> timings;  // empty where the model's shapes are not known beforehand
};

// Times the model on zeros (at most about half a second) and applies the rules of docs/decisions/0003-execution.md.
// Throws Error(InvalidArgument) where the configuration contradicts itself.
Calibration calibrate(ModelSession& session, const ModelConfig& config);

// The rules alone, for tests: what the timings and the configuration lead to on a machine with `cores` cores.
Calibration decide(const ModelConfig& config, bool batchable, std::vector<BatchTiming> timings, uint32_t cores);

// Cores that this process may use.
uint32_t usable_cores();

}  // namespace headrace
