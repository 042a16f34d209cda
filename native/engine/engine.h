// One loaded model, ready to take steps: session, calibration and scheduler in their order of dependence.
//
// Thread safety: as the scheduler's. Shared by every JavaScript thread that drives the model; the last one frees it.
#pragma once

#include <memory>

#include "calibrate.h"
#include "model_session.h"
#include "scheduler.h"

namespace headrace {

class Engine {
 public:
  // Loads, calibrates and starts. Takes from milliseconds to minutes, by the model: call it off the JavaScript thread.
  explicit Engine(const ModelConfig& config);

  const ModelSession& session() const { return session_; }
  const Calibration& calibration() const { return calibration_; }
  Scheduler& scheduler() { return scheduler_; }

 private:
  ModelSession session_;
  const Calibration calibration_;
  Scheduler scheduler_;
};

}  // namespace headrace
