// A model of the benchmark with everything preallocated: what remains to be timed is ONNX Runtime alone.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ort_library.h"

namespace headrace::bench {

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// The tensors of one batch size.
struct ModelSpec {
  TensorSpec input;
  TensorSpec stateIn;
  TensorSpec output;
  TensorSpec stateOut;
  bool hasSampleRate;  // Silero's int64 scalar "sr"
};

/// `kind` is "gru" or "silero". Throws UsageError for another one.
ModelSpec specOf(const std::string& kind, std::int64_t batch);

/// One session on one thread, and two bindings that differ only in the direction of the state: what one step writes,
/// the next one reads, so the state is fed back without a copy.
class BareModel {
 public:
  BareModel(const std::string& file, const ModelSpec& spec);

  /// One step of the whole batch.
  void step();

  /// Throws std::runtime_error when the outputs are not finite or the state never moved: a loop that computes nothing
  /// is fast, too.
  void check() const;

 private:
  Ort::Value tensorOver(std::vector<float>& values, const std::vector<std::int64_t>& shape) const;
  Ort::IoBinding bind(const ModelSpec& spec, int from);

  Ort::Env env_{ORT_LOGGING_LEVEL_WARNING, "bare_loop"};
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  Ort::Session session_{nullptr};
  Ort::RunOptions runOptions_;

  std::vector<float> input_;
  std::vector<float> output_;
  std::array<std::vector<float>, 2> states_;
  std::int64_t sampleRate_ = 16000;

  std::vector<Ort::IoBinding> bindings_;  // [i] reads states_[i] and writes the other
  std::size_t current_ = 0;
};

}  // namespace headrace::bench
