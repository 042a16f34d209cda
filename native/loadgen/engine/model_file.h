// What to load and what a step brings, as `headrace bench` writes it down: one thing a line, fields between tabs.
//
//   path      FILE
//   constant  TENSOR  integer|real|boolean|text|bytes  VALUE     bytes are hexadecimal
//   state     INPUT   OUTPUT  [AXIS]                             no line and no `states`: recognised by name
//   states    none|given
//   context   TENSOR  SIZE    [AXIS]
//   shape     TENSOR  DIM,DIM,…
//   option    maxBatch|maxDelayMicros|queueSize|queueBytes|execution|lanes|intraOpThreads|maxStates  VALUE
//   input     TENSOR  BYTES   DIM,DIM,…                          of a step's row, in the order of its body
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model_config.h"

namespace headrace::bench {

struct StepInput {
  std::string tensor;
  std::size_t bytes = 0;
  Shape row_dims;
};

struct ModelFile {
  ModelConfig config;
  std::vector<StepInput> inputs;
};

/// Throws std::runtime_error where there is no such file, or a line is of another form.
ModelFile readModelFile(const std::string& path);

}  // namespace headrace::bench
