// One ONNX Runtime session over one model file, with the plan of its memory.
//
// Thread safety: immutable after construction; `run` may be called from several lanes at once, each with a batch of its
// own (ONNX Runtime's Run is thread-safe, IoBindings belong to their batch).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "batch.h"
#include "device.h"
#include "model_plan.h"
#include "ort.h"

namespace headrace {

class ModelSession {
 public:
  // Loads and checks the model; runs it once or twice on zeros to learn which axis of each output is the batch.
  // Throws Error(ModelNotFound), Error(ModelInvalid) or Error(Unimplemented).
  explicit ModelSession(const ModelConfig& config, const Device& device);

  const ModelPlan& plan() const { return plan_; }
  const Device& device() const { return device_; }
  const std::vector<TensorInfo>& signature_inputs() const { return inputs_; }
  const std::vector<TensorInfo>& signature_outputs() const { return outputs_; }
  // Names what a state's bytes fit: the model file's content, states and contexts.
  uint64_t fingerprint() const { return fingerprint_; }

  // Runs the model on the batch's first n rows: inputs and states in must be in place, states out and outputs are
  // afterwards. Throws Ort::Exception where the model fails, Error where its outputs are not rows.
  void run(Batch& batch, uint32_t n);

 private:
  std::vector<TensorInfo> read_signature(bool inputs) const;
  void make_constants();
  void probe();
  std::vector<Shape> run_on_zeros(int64_t rows);
  void check_one_row(const std::vector<Shape>& one);
  void compare_rows(const std::vector<Shape>& one, const std::vector<Shape>& two);
  void check_rows(const DataOutput& plan, const Ort::Value& value, uint32_t n) const;
  Binding& binding_for(Batch& batch, uint32_t n);
  void bind_input(Binding& binding, Batch& batch, size_t index, uint32_t n);
  void bind_output(Binding& binding, Batch& batch, size_t index, uint32_t n);
  void bind_state(Binding& binding, Batch& batch, size_t index, uint32_t n);
  void refuse_batching(std::string why);
  void take_tensors_whole();

  const Device& device_;
  std::shared_ptr<Ort::Env> env_;
  Ort::Session session_{nullptr};
  Ort::RunOptions run_options_;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_;
  ModelPlan plan_;
  std::vector<Buffer> constant_bytes_;
  std::vector<Ort::Value> constants_;
  bool dynamic_outputs_ = false;
  bool reusable_bindings_ = true;
  uint64_t fingerprint_ = 0;
};

}  // namespace headrace
