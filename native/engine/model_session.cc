#include "model_session.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "constants.h"
#include "status.h"

namespace headrace {
namespace {

// Several threads share the work of a run's operators; they sleep between runs, where spinning would take the core from
// whoever brings the next one. By default a run has one: lanes over one session beat it in throughput.
Ort::SessionOptions session_options(uint32_t intra_op_threads) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(static_cast<int>(intra_op_threads));
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  return options;
}

Ort::Session open_session(const Ort::Env& env, const ModelConfig& config) {
  const std::string& path = config.path;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    throw Error(Code::ModelNotFound, "no model file at " + path);
  }
  try {
    return Ort::Session(env, std::filesystem::path(path).c_str(), session_options(config.intra_op_threads));
  } catch (const Ort::Exception& error) {
    throw Error(Code::ModelInvalid, "ONNX Runtime cannot load " + path + ": " + error.what());
  }
}

bool all_known(const Shape& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int64_t dim) { return dim >= 0; });
}

// FNV-1a by words: a stable fingerprint, not a defence.
void mix(uint64_t& hash, uint64_t word) { hash = (hash ^ word) * 0x100000001b3ULL; }

void mix(uint64_t& hash, const std::string& text) {
  for (const char c : text) mix(hash, static_cast<uint64_t>(static_cast<unsigned char>(c)));
}

// A model trained again has the same size and signature, and states that mean something else: the content decides.
void mix_file(uint64_t& hash, const std::string& path) {
  std::ifstream file(std::filesystem::path(path), std::ios::binary);
  std::vector<uint64_t> words(size_t{128} << 10);
  while (file) {
    file.read(reinterpret_cast<char*>(words.data()), static_cast<std::streamsize>(words.size() * sizeof(uint64_t)));
    const auto bytes = static_cast<size_t>(file.gcount());
    if (bytes % sizeof(uint64_t) != 0) {
      std::memset(reinterpret_cast<char*>(words.data()) + bytes, 0, sizeof(uint64_t) - bytes % sizeof(uint64_t));
    }
    for (size_t i = 0; i * sizeof(uint64_t) < bytes; ++i) mix(hash, words[i]);
    mix(hash, bytes);
  }
}

uint64_t fingerprint_of(const ModelPlan& plan, const std::string& path) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  mix_file(hash, path);
  for (const RecurrentState& state : plan.states) {
    mix(hash, state.input.name + to_string(state.row_dims) + std::to_string(state.input.type));
  }
  for (const DataInput& input : plan.inputs) {
    if (!input.context) continue;
    mix(hash, input.info.name + to_string(input.row_dims) + std::to_string(input.context->axis));
    mix(hash, static_cast<uint64_t>(input.context->size));
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
    : device_(device), env_(shared_ort_env()), session_(open_session(*env_, config)) {
  run_options_.SetRunLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);  // a failed run is told to its steps, not to stderr
  inputs_ = read_signature(true);
  outputs_ = read_signature(false);
  plan_ = make_plan(config, inputs_, outputs_);
  for (const DataInput& input : plan_.inputs) v2_datatype(input.info.type, input.info.name);
  for (const DataOutput& output : plan_.outputs) v2_datatype(output.info.type, output.info.name);
  make_constants();
  probe();
  for (const DataOutput& output : plan_.outputs) {
    if (plan_.batchable && output.batch_axis == kNoAxis) {
      refuse_batching("output '" + output.info.name + "' " + to_string(output.info.dims) + " has no batch axis");
    }
  }
  if (!plan_.batchable && !plan_.stateful()) take_tensors_whole();
  for (DataOutput& output : plan_.outputs) {
    output.row_dims = without_axis(output.info.dims, output.batch_axis);
    output.fixed = output.info.ranked && all_known(output.row_dims) && !is_string(output.info.type);
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
    info.ranked = tensor.HasShape();
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

// What looks like a batch is none where rows cannot share a run: taken apart into rows, such tensors would give other
// outputs than the model does. Streams are stepped row by row all the same.
void ModelSession::take_tensors_whole() {
  for (DataInput& input : plan_.inputs) {
    input.row_dims = shape_with_batch(input.row_dims, input.batch_axis, -1);
    input.fixed = input.fixed && input.batch_axis == kNoAxis;
    input.batch_axis = kNoAxis;
  }
  for (DataOutput& output : plan_.outputs) output.batch_axis = kNoAxis;
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
  check_one_row(one);
  if (!plan_.batchable) return;
  try {
    compare_rows(one, run_on_zeros(2));
  } catch (const Ort::Exception& error) {
    refuse_batching(std::string("the model runs with one row and fails with two: ") + error.what());
  }
}

// Shapes of a run of one row: the outputs', then the states'. What was declared otherwise is taken as it came.
void ModelSession::check_one_row(const std::vector<Shape>& one) {
  for (size_t i = 0; i < plan_.outputs.size(); ++i) {
    DataOutput& output = plan_.outputs[i];
    if (one[i].size() != output.info.dims.size()) {
      output.info.dims.assign(one[i].size(), -1);
      output.info.symbols.assign(one[i].size(), "");
      output.info.ranked = true;
      output.batch_axis = kNoAxis;
    }
    if (output.batch_axis != kNoAxis && one[i][output.batch_axis] != 1) output.batch_axis = kNoAxis;
  }
  for (size_t i = 0; i < plan_.states.size(); ++i) {
    const RecurrentState& state = plan_.states[i];
    const Shape& written = one[plan_.outputs.size() + i];
    const Shape wanted = shape_with_batch(state.row_dims, state.batch_axis, 1);
    if (written == wanted) continue;
    throw Error(Code::ModelInvalid, "state '" + state.input.name + "' -> '" + state.output + "': the model reads " +
                                        to_string(wanted) + " and writes " + to_string(written));
  }
}

void ModelSession::compare_rows(const std::vector<Shape>& one, const std::vector<Shape>& two) {
  const auto differ = [&](const char* what, const std::string& name, size_t i) {
    refuse_batching(std::string(what) + " '" + name + "' has shape " + to_string(one[i]) + " for one row and " +
                    to_string(two[i]) + " for two");
  };
  for (size_t i = 0; i < plan_.outputs.size(); ++i) {
    DataOutput& output = plan_.outputs[i];
    output.batch_axis = differing_axis(one[i], two[i]);
    if (output.batch_axis == kNoAxis) differ("output", output.info.name, i);
  }
  for (size_t i = 0; i < plan_.states.size(); ++i) {
    const RecurrentState& state = plan_.states[i];
    const size_t at = plan_.outputs.size() + i;
    if (two[at] != shape_with_batch(state.row_dims, state.batch_axis, 2)) differ("state output", state.output, at);
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
  for (const RecurrentState& state : plan_.states) output_names.push_back(state.output.c_str());
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
    const size_t outer = input.geometry.outer;
    for (uint32_t row = 0; row < n; ++row) {
      const std::vector<std::string>& texts = *input.strings[row];
      const size_t inner = texts.size() / outer;
      for (size_t i = 0; i < texts.size(); ++i) {
        set_string(binding.values.back(), (i / inner * n + row) * inner + i % inner, texts[i]);
      }
    }
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
    if (plan_.outputs[i].fixed) continue;
    if (n > 1) check_rows(plan_.outputs[i], values[i], n);
    batch.outputs[i].dynamic = std::move(values[i]);
  }
}

// The probe saw rows, on zeros. Where these values lead to something else nobody can say whose is whose.
void ModelSession::check_rows(const DataOutput& plan, const Ort::Value& value, uint32_t n) const {
  const Shape shape = value.GetTensorTypeAndShapeInfo().GetShape();
  const auto axis = static_cast<size_t>(plan.batch_axis);
  if (axis < shape.size() && shape[axis] == n) return;
  throw Error(Code::ModelInvalid, "output '" + plan.info.name + "' has shape " + to_string(shape) + " for " +
                                      std::to_string(n) + " rows: this model needs a batch size of 1");
}

}  // namespace headrace
