// How one step of a model is laid out in memory: which inputs the caller sends, which are state, context or constant,
// where the batch axis of each lies, and how many bytes a row takes.
//
// Made once at load by pure functions of the model's signature and the user's configuration; immutable afterwards.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model_config.h"
#include "tensor.h"

namespace headrace {

// The context kept before an input: `size` elements along `axis` of the row (the tensor without its batch axis).
struct Context {
  int64_t size = 0;
  int axis = 0;
};

// An input that every step brings.
struct DataInput {
  TensorInfo info;
  int batch_axis = kNoAxis;
  Shape row_dims;  // what a step sends, without batch axis and context; -1 where steps may differ
  std::optional<Context> context;
  bool fixed = false;  // no dimension of row_dims is dynamic
};

// An output that every step gets.
struct DataOutput {
  TensorInfo info;
  int batch_axis = kNoAxis;
  Shape row_dims;
  bool fixed = false;  // preallocated; otherwise ONNX Runtime allocates it in each run
};

struct RecurrentState {
  TensorInfo input;
  std::string output;
  int batch_axis = kNoAxis;
  Shape row_dims;
  size_t row_bytes = 0;
};

struct ConstantInput {
  TensorInfo info;
  ConstantConfig config;
};

struct ModelPlan {
  std::vector<DataInput> inputs;
  std::vector<DataOutput> outputs;
  std::vector<RecurrentState> states;
  std::vector<ConstantInput> constants;
  bool batchable = false;  // rows of different steps may share a run
  std::string why_not_batchable;

  bool stateful() const;
  bool fixed_inputs() const;
};

// Where a row's pieces lie inside the model's tensor. `outer` runs of `inner` bytes: one run when the batch axis is
// first.
struct RowGeometry {
  size_t outer = 1;          // product of the dimensions before the batch axis
  size_t row_bytes = 0;      // bytes of one row in the model's tensor
  size_t pieces = 1;         // product of the row's dimensions before the context axis
  size_t context_bytes = 0;  // per piece, before the new data
  size_t data_bytes = 0;     // per piece, what a step sends

  size_t submit_bytes() const { return pieces * data_bytes; }
  bool row_major() const { return outer == 1; }
};

// Of a row with dimensions `row_dims` (all known) of input `input`.
RowGeometry row_geometry(const DataInput& input, const Shape& row_dims);

// Bytes of all contexts and states of one state id, and where each begins in its record.
struct RecordLayout {
  std::vector<size_t> state_offsets;    // by index in ModelPlan::states
  std::vector<size_t> context_offsets;  // by index in ModelPlan::inputs; unused where the input has no context
  size_t bytes = 0;
};
RecordLayout record_layout(const ModelPlan& plan);

// Pairs inputs and outputs that look like recurrent state: equal type, compatible shapes and names that follow one of
// the usual conventions (state -> stateN, h0 -> hn, x_in -> x_out, past_x -> present_x …).
std::vector<StatePair> recognise_state_pairs(const std::vector<TensorInfo>& inputs,
                                             const std::vector<TensorInfo>& outputs);

// Throws Error(ModelInvalid) where configuration and model do not fit, naming the tensor and what to write instead.
ModelPlan make_plan(const ModelConfig& config, const std::vector<TensorInfo>& inputs,
                    const std::vector<TensorInfo>& outputs);

// The row's dimensions with the batch axis put back: what V2 metadata shows, -1 for the batch.
Shape shape_with_batch(const Shape& row_dims, int batch_axis, int64_t rows);

// A shape without its batch axis.
Shape without_axis(const Shape& shape, int axis);

}  // namespace headrace
