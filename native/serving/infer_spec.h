// What infer requests of a model look like on the wire, as JavaScript knows it. Immutable: shared by all threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datatype.h"

namespace headrace {

struct InferTensor {
  std::string name;
  json::Datatype datatype = json::Datatype::Fp32;
  std::vector<int64_t> shape;  // with the batch axis, of any size
  int batch_axis = -1;         // -1: none
  size_t index = 0;            // the engine's
  size_t row_bytes = 0;
};

// What becomes of the priority that a request asks for: src/runtime/request-policy.ts.
struct InferPolicy {
  uint32_t priority_levels = 0;
  uint32_t default_priority = 0;
};

struct InferSpec {
  std::string model_name;
  std::string model_version;
  std::vector<InferTensor> inputs;   // in the engine's order
  std::vector<InferTensor> outputs;  // in the order of answers
  size_t max_body = 0;               // bytes
  InferPolicy policy;
};

}  // namespace headrace
