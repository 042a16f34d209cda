#include "model_session.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "constants.h"
#include "status.h"

namespace headrace {
namespace {

// One thread a run: lanes over one session beat one session with several threads, and nothing spins between runs.
Ort::SessionOptions session_options() {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  return options;
}

Ort::Session open_session(const Ort::Env& env, const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    throw Error(Code::ModelNotFound, "no model file at " + path);
  }
  try {
    return Ort::Session(env, std::filesystem::path(path).c_str(), session_options());
  } catch (const Ort::Exception& error) {
    throw Error(Code::ModelInvalid, "ONNX Runtime cannot load " + path + ": " + error.what());
  }
}

bool all_known(const Shape& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int64_t dim) { return dim >= 0; });
}

// FNV-1a: a stable fingerprint, not a defence.
void mix(uint64_t& hash, const std::string& text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
}

uint64_t fingerprint_of(const ModelPlan& plan, const std::string& path) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  mix(hash, std::to_string(std::filesystem::file_size(path)));
  for (const RecurrentState& state : plan.states) {
    mix(hash, state.input.name + to_string(state.row_dims) + std::to_string(state.input.type));
  }
  for (const DataInput& input : plan.inputs) {
    if (input.context) mix(hash, input.info.name + to_string(input.row_dims) + std::to_string(input.context->size));
  }
  return hash;
}

int differing_axis(const Shape& one, const Shape& two) {
  int axis = kNoAxis;
  if (one.size() != two.size()) return kNoAxis;
  for (size_t i = 0; i < one.size(); ++i) {
    if (one[i] == two[i]) continue;
    if (axis != kNoAxis || one[i] != 1 || two[i] != 2) return kNoAxis;
    axis = static_cast<int>(i);
  }
  return axis;
}

}  // namespace

ModelSession::ModelSession(const ModelConfig& config, const Device& device)
    : device_(device), env_(shared_ort_env()), session_(open_session(*env_, config.path)) {
  inputs_ = read_signature(true);
  outputs_ = read_signature(false);
  plan_ = make_plan(config, inputs_, outputs_);
  for (const DataInput& input : plan_.inputs) v2_datatype(input.info.type, input.info.name);
  for (const DataOutput& output : plan_.outputs) v2_datatype(output.info.type, output.info.name);
  make_constants();
  probe();
  for (DataOutput& output : plan_.outputs) {
    output.row_dims = without_axis(output.info.dims, output.batch_axis);
    output.fixed = all_known(output.row_dims) && !is_string(output.info.type);
  }
  dynamic_outputs_ = std::any_of(plan_.outputs.begin(), plan_.outputs.end(), [](const auto& o) { return !o.fixed; });
  const bool strings = std::any_of(plan_.inputs.begin(), plan_.inputs.end(),
                                   [](const DataInput& input) { return is_string(input.info.type); });
  // ONNX Runtime would write over the last run's dynamic outputs, and copies strings when they are bound.
  reusable_bindings_ = !dynamic_outputs_ && !strings;
  fingerprint_ = fingerprint_of(plan_, config.path);
}

std::vector<TensorInfo> ModelSession::read_signature(bool inputs) const {
  Ort::AllocatorWithDefaultOptions allocator;
  std::vector<TensorInfo> result;
  const size_t count = inputs ? session_.GetInputCount() : session_.GetOutputCount();
  for (size_t i = 0; i < count; ++i) {
    TensorInfo info;
    const auto name =
        inputs ? session_.GetInputNameAllocated(i, allocator) : session_.GetOutputNameAllocated(i, allocator);
    info.name = name.get();
    const Ort::TypeInfo type = inputs ? session_.GetInputTypeInfo(i) : session_.GetOutputTypeInfo(i);
    if (type.GetONNXType() != ONNX_TYPE_TENSOR) {
      throw Error(Code::Unimplemented, std::string(inputs ? "input '" : "output '") + info.name +
                                           "' is a sequence, map or optional; only tensors can be served");
    }
    const auto tensor = type.GetTensorTypeAndShapeInfo();
    info.type = tensor.GetElementType();
    info.dims = tensor.GetShape();
    for (const char* symbol : tensor.GetSymbolicDimensions()) info.symbols.emplace_back(symbol);
    result.push_back(std::move(info));
  }
  return result;
}

void ModelSession::make_constants() {
  for (const ConstantInput& constant : plan_.constants) {
    constant_bytes_.push_back(constant_buffer(constant, device_));
    constants_.push_back(constant_value(constant, constant_bytes_.back(), device_));
  }
}

void ModelSession::refuse_batching(std::string why) {
  plan_.batchable = false;
  plan_.why_not_batchable = std::move(why);
}

// Declared shapes often say too little ("dim_0"): run once with one row and once with two, and compare.
void ModelSession::probe() {
  if (!plan_.fixed_inputs()) return;
  std::vector<Shape> one;
  try {
    one = run_on_zeros(1);
  } catch (const Ort::Exception&) {
    return;  // zeros need not be a valid input; then the declared shapes must do
  }
  if (!plan_.batchable) return;
  try {
    settle_output_axes(one, run_on_zeros(2));
  } catch (const Ort::Exception& error) {
    refuse_batching(std::string("the model runs with one row and fails with two: ") + error.what());
  }
}

void ModelSession::settle_output_axes(const std::vector<Shape>& one, const std::vector<Shape>& two) {
  for (size_t i = 0; i < plan_.outputs.size(); ++i) {
    DataOutput& output = plan_.outputs[i];
    const int axis = differing_axis(one[i], two[i]);
    if (axis == kNoAxis) {
      refuse_batching("output '" + output.info.name + "' has shape " + to_string(one[i]) + " for one row and " +
                      to_string(two[i]) + " for two");
      return;
    }
    output.batch_axis = axis;
  }
}

std::vector<Shape> ModelSession::run_on_zeros(int64_t rows) {
  std::vector<Buffer> memory;
  std::vector<const char*> names;
  std::vector<Ort::Value> values;
  const auto add = [&](const TensorInfo& info, const Shape& shape) {
    const size_t bytes = checked_elements(shape) * element_size(info.type);
    memory.push_back(device_.allocate(bytes));
    std::memset(memory.back().data(), 0, bytes);
    names.push_back(info.name.c_str());
    values.push_back(Ort::Value::CreateTensor(device_.memory_info(), memory.back().data(), bytes, shape.data(),
                                              shape.size(), info.type));
  };
  for (const DataInput& input : plan_.inputs) {
    Shape dims = input.row_dims;
    if (input.context) dims[input.context->axis] += input.context->size;
    add(input.info, shape_with_batch(dims, input.batch_axis, rows));
  }
  for (const RecurrentState& state : plan_.states) {
    add(state.input, shape_with_batch(state.row_dims, state.batch_axis, rows));
  }
  for (size_t i = 0; i < constants_.size(); ++i) {
    names.push_back(plan_.constants[i].info.name.c_str());
    values.push_back(constant_value(plan_.constants[i], constant_bytes_[i], device_));
  }
  std::vector<const char*> output_names;
  for (const DataOutput& output : plan_.outputs) output_names.push_back(output.info.name.c_str());
  const auto results =
      session_.Run(run_options_, names.data(), values.data(), values.size(), output_names.data(), output_names.size());
  std::vector<Shape> shapes;
  for (const Ort::Value& value : results) shapes.push_back(value.GetTensorTypeAndShapeInfo().GetShape());
  return shapes;
}

void ModelSession::bind_input(Binding& binding, Batch& batch, size_t index, uint32_t n) {
  const DataInput& plan = plan_.inputs[index];
  BatchInput& input = batch.inputs[index];
  Shape dims = input.row_dims;
  if (plan.context) dims[plan.context->axis] += plan.context->size;
  const Shape shape = shape_with_batch(dims, plan.batch_axis, n);
  if (is_string(plan.info.type)) {
    Ort::AllocatorWithDefaultOptions allocator;
    binding.values.push_back(Ort::Value::CreateTensor(allocator, shape.data(), shape.size(), plan.info.type));
    std::vector<const char*> pointers;
    for (uint32_t row = 0; row < n; ++row) {
      for (const std::string& text : *input.strings[row]) pointers.push_back(text.c_str());
    }
    if (!pointers.empty()) binding.values.back().FillStringTensor(pointers.data(), pointers.size());
  } else {
    std::byte* data = input.geometry.row_major() ? input.rows.data() : input.model.data();
    binding.values.push_back(Ort::Value::CreateTensor(device_.memory_info(), data, input.geometry.row_bytes * n,
                                                      shape.data(), shape.size(), plan.info.type));
  }
  binding.io.BindInput(plan.info.name.c_str(), binding.values.back());
}

void ModelSession::bind_output(Binding& binding, Batch& batch, size_t index, uint32_t n) {
  const DataOutput& plan = plan_.outputs[index];
  BatchOutput& output = batch.outputs[index];
  if (!plan.fixed) {
    binding.io.BindOutput(plan.info.name.c_str(), device_.memory_info());
    return;
  }
  const Shape shape = shape_with_batch(plan.row_dims, plan.batch_axis, n);
  std::byte* data = output.outer == 1 ? output.rows->data() : output.model.data();
  binding.values.push_back(Ort::Value::CreateTensor(device_.memory_info(), data, output.row_bytes * n, shape.data(),
                                                    shape.size(), plan.info.type));
  binding.io.BindOutput(plan.info.name.c_str(), binding.values.back());
}

void ModelSession::bind_state(Binding& binding, Batch& batch, size_t index, uint32_t n) {
  const RecurrentState& plan = plan_.states[index];
  BatchState& state = batch.states[index];
  const Shape shape = shape_with_batch(plan.row_dims, plan.batch_axis, n);
  const auto view = [&](const Buffer& buffer) -> Ort::Value& {
    binding.values.push_back(Ort::Value::CreateTensor(device_.memory_info(), buffer.data(), plan.row_bytes * n,
                                                      shape.data(), shape.size(), plan.input.type));
    return binding.values.back();
  };
  binding.io.BindInput(plan.input.name.c_str(), view(state.in));
  binding.io.BindOutput(plan.output.c_str(), view(state.out));
}

Binding& ModelSession::binding_for(Batch& batch, uint32_t n) {
  std::unique_ptr<Binding>& cached = batch.bindings[n];
  if (cached && reusable_bindings_) return *cached;
  cached = std::make_unique<Binding>(session_);
  // Data outputs first: GetOutputValues answers in the order of binding.
  for (size_t i = 0; i < plan_.outputs.size(); ++i) bind_output(*cached, batch, i, n);
  for (size_t i = 0; i < plan_.inputs.size(); ++i) bind_input(*cached, batch, i, n);
  for (size_t i = 0; i < plan_.states.size(); ++i) bind_state(*cached, batch, i, n);
  for (size_t i = 0; i < constants_.size(); ++i) {
    cached->io.BindInput(plan_.constants[i].info.name.c_str(), constants_[i]);
  }
  return *cached;
}

void ModelSession::run(Batch& batch, uint32_t n) {
  Binding& binding = binding_for(batch, n);
  session_.Run(run_options_, binding.io);
  if (!dynamic_outputs_) return;
  std::vector<Ort::Value> values = binding.io.GetOutputValues();
  for (size_t i = 0; i < plan_.outputs.size(); ++i) {
    if (!plan_.outputs[i].fixed) batch.outputs[i].dynamic = std::move(values[i]);
  }
}

}  // namespace headrace
