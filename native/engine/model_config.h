// What the user says about a model. Plain values, made by the addon, read by the engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tensor.h"

namespace headrace {

// A recurrent state: what the model writes to `output` is its `input` at the next step of the same state id.
struct StatePair {
  std::string input;
  std::string output;
  std::optional<int> batch_axis;  // found in the model where not given
};

// The last `size` elements of an input along `axis` (of the model's tensor; negative counts from the end) are kept per
// state id and put before the next step's.
struct ContextConfig {
  std::string input;
  int64_t size = 0;
  int axis = -1;
};

// An input that is the same in every step. A number fills the whole tensor.
struct ConstantConfig {
  std::string input;
  std::variant<int64_t, double, bool, std::string, std::vector<std::byte>> value;
};

// Fixes dimensions that the model leaves dynamic, as the caller sees the input (without context).
struct ShapeConfig {
  std::string input;
  Shape dims;
};

enum class Execution { Auto, Inline, Lanes };
enum class EvictPolicy { Refuse, Lru };

struct ModelConfig {
  std::string path;
  std::vector<ConstantConfig> constants;
  std::optional<std::vector<StatePair>> state;  // nullopt: pairs are recognised by their names
  std::vector<ContextConfig> context;
  std::vector<ShapeConfig> shapes;
  uint32_t max_batch = 0;         // rows; 0: calibrated at load
  int64_t max_delay_micros = 0;   // how long a batch may wait for more rows while a lane is idle
  uint32_t queue_size = 4096;     // steps that wait for a batch
  int64_t queue_bytes = 1 << 30;  // of inputs that are kept beside the batches
  Execution execution = Execution::Auto;
  uint32_t lanes = 0;             // threads; 0: one for each core this process may use, over those of a run
  uint32_t intra_op_threads = 1;  // of each run
  int64_t state_ttl_millis = 60'000;
  uint32_t max_states = 10'000;
  EvictPolicy evict = EvictPolicy::Refuse;
};

}  // namespace headrace
