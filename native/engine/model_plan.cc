#include "model_plan.h"

#include <algorithm>

#include "signature.h"
#include "status.h"

namespace headrace {
namespace {

template <typename Items, typename Name>
auto find_by(Items& items, const std::string& name, Name&& name_of) {
  return std::find_if(items.begin(), items.end(), [&](const auto& item) { return name_of(item) == name; });
}

const TensorInfo& tensor_named(const std::vector<TensorInfo>& tensors, const std::string& name, const char* what) {
  const auto found = find_by(tensors, name, [](const TensorInfo& t) { return t.name; });
  if (found != tensors.end()) return *found;
  throw Error(Code::ModelInvalid,
              std::string(what) + " names tensor '" + name + "', but the model has only " + list_names(tensors));
}

bool all_known(const Shape& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int64_t dim) { return dim >= 0; });
}

// The model's dimensions with those that the user fixed; a fixed one of the model must not be contradicted.
Shape dims_with_overrides(const TensorInfo& info, const ModelConfig& config, const std::optional<Context>& context,
                          int context_axis) {
  Shape dims = info.dims;
  if (context && dims[context_axis] >= 0) dims[context_axis] -= context->size;
  const auto given = find_by(config.shapes, info.name, [](const ShapeConfig& s) { return s.input; });
  if (given == config.shapes.end()) return dims;
  if (given->dims.size() != dims.size()) {
    throw Error(Code::ModelInvalid, "input '" + info.name + "' has " + std::to_string(dims.size()) +
                                        " dimensions in the model, its declared type has shape " +
                                        to_string(given->dims));
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (given->dims[i] < 0) continue;
    if (dims[i] >= 0 && dims[i] != given->dims[i]) {
      throw Error(Code::ModelInvalid, "input '" + info.name + "' has shape " + to_string(dims) +
                                          " in the model (context taken off), its declared type has shape " +
                                          to_string(given->dims));
    }
    dims[i] = given->dims[i];
  }
  return dims;
}

struct ContextPlace {
  std::optional<Context> context;
  int tensor_axis = 0;
};

ContextPlace place_context(const TensorInfo& info, int batch_axis, const ModelConfig& config) {
  const auto given = find_by(config.context, info.name, [](const ContextConfig& c) { return c.input; });
  if (given == config.context.end()) return {};
  const int rank = static_cast<int>(info.dims.size());
  const int axis = given->axis < 0 ? given->axis + rank : given->axis;
  if (axis < 0 || axis >= rank || axis == batch_axis || given->size <= 0) {
    throw Error(Code::ModelInvalid, "context of input '" + info.name + "' needs a size above 0 and an axis of the " +
                                        std::to_string(rank) + "-dimensional tensor other than its batch axis");
  }
  if (is_string(info.type))
    throw Error(Code::ModelInvalid, "context of input '" + info.name + "': strings cannot be context");
  if (info.dims[axis] >= 0 && info.dims[axis] <= given->size) {
    throw Error(Code::ModelInvalid, "context of input '" + info.name + "' takes " + std::to_string(given->size) +
                                        " elements, but the model's axis has only " + std::to_string(info.dims[axis]));
  }
  const bool after_batch = batch_axis != kNoAxis && axis > batch_axis;
  return {Context{given->size, after_batch ? axis - 1 : axis}, axis};
}

DataInput plan_input(const TensorInfo& info, int batch_axis, const ModelConfig& config) {
  DataInput input;
  input.info = info;
  input.batch_axis = batch_axis;
  const ContextPlace place = place_context(info, batch_axis, config);
  input.context = place.context;
  input.row_dims = without_axis(dims_with_overrides(info, config, place.context, place.tensor_axis), batch_axis);
  input.fixed = all_known(input.row_dims) && !is_string(info.type);
  return input;
}

RecurrentState plan_state(const TensorInfo& input, const TensorInfo& output, const StatePair& pair, int batch_axis) {
  const std::string where = "state '" + pair.input + "' -> '" + pair.output + "'";
  if (input.type != output.type)
    throw Error(Code::ModelInvalid, where + ": the two tensors have different element types");
  if (element_size(input.type) == 0)
    throw Error(Code::Unimplemented, where + ": strings and 4-bit elements cannot be state");
  if (batch_axis != kNoAxis && input.dims[batch_axis] >= 0 && input.dims[batch_axis] != 1) {
    throw Error(Code::ModelInvalid, where + " has shape " + to_string(input.dims) + ": batchAxis " +
                                        std::to_string(batch_axis) + " must be dynamic or 1");
  }
  RecurrentState state;
  state.input = input;
  state.output = output.name;
  state.batch_axis = batch_axis;
  state.row_dims = without_axis(input.dims, batch_axis);
  if (!all_known(state.row_dims)) {
    throw Error(Code::ModelInvalid, where + " has shape " + to_string(input.dims) +
                                        ": only the batch axis may be dynamic; give batchAxis if it is another one");
  }
  state.row_bytes = checked_elements(state.row_dims) * element_size(input.type);
  return state;
}

bool is_constant(const ModelConfig& config, const std::string& name) {
  return find_by(config.constants, name, [](const auto& c) { return c.input; }) != config.constants.end();
}

// As given, and then each tensor in one role only; else those recognised that have no other role.
std::vector<StatePair> state_pairs(const ModelConfig& config, const std::vector<TensorInfo>& inputs,
                                   const std::vector<TensorInfo>& outputs) {
  if (!config.state) {
    std::vector<StatePair> pairs = recognise_state_pairs(inputs, outputs);
    std::erase_if(pairs, [&](const StatePair& pair) {
      const bool context =
          find_by(config.context, pair.input, [](const auto& c) { return c.input; }) != config.context.end();
      return context || is_constant(config, pair.input);
    });
    return pairs;
  }
  for (auto pair = config.state->begin(); pair != config.state->end(); ++pair) {
    tensor_named(inputs, pair->input, "state.input");
    tensor_named(outputs, pair->output, "state.output");
    const bool again = std::any_of(config.state->begin(), pair, [&](const StatePair& other) {
      return other.input == pair->input || other.output == pair->output;
    });
    if (again || is_constant(config, pair->input)) {
      throw Error(Code::ModelInvalid, "state '" + pair->input + "' -> '" + pair->output +
                                          "': each of the two may be named once, and not as a constant too");
    }
  }
  return *config.state;
}

// Every input but constants and states is the caller's.
std::vector<TensorInfo> data_inputs(const std::vector<TensorInfo>& inputs, const ModelConfig& config,
                                    const std::vector<StatePair>& pairs) {
  std::vector<TensorInfo> data;
  for (const TensorInfo& info : inputs) {
    const bool state = find_by(pairs, info.name, [](const auto& p) { return p.input; }) != pairs.end();
    if (!is_constant(config, info.name) && !state) data.push_back(info);
  }
  return data;
}

// A context's size must be known, and one that can be.
void check_context(const DataInput& input) {
  Shape dims = input.row_dims;
  dims[input.context->axis] = input.context->size;
  if (!all_known(dims)) {
    throw Error(Code::ModelInvalid, "context of input '" + input.info.name +
                                        "' needs every other dimension fixed, but a step has shape " +
                                        to_string(input.row_dims));
  }
  checked_elements(dims);
}

void check_names(const ModelConfig& config, const std::vector<TensorInfo>& inputs,
                 const std::vector<TensorInfo>& data) {
  for (const auto& constant : config.constants) tensor_named(inputs, constant.input, "constants");
  for (const auto& context : config.context) tensor_named(data, context.input, "context");
  for (const auto& shape : config.shapes) tensor_named(data, shape.input, "inputs");
}

}  // namespace

bool ModelPlan::stateful() const {
  return !states.empty() ||
         std::any_of(inputs.begin(), inputs.end(), [](const DataInput& input) { return input.context.has_value(); });
}

bool ModelPlan::fixed_inputs() const {
  return std::all_of(inputs.begin(), inputs.end(), [](const DataInput& input) { return input.fixed; });
}

Shape without_axis(const Shape& shape, int axis) {
  Shape row = shape;
  if (axis != kNoAxis) row.erase(row.begin() + axis);
  return row;
}

Shape shape_with_batch(const Shape& row_dims, int batch_axis, int64_t rows) {
  Shape shape = row_dims;
  if (batch_axis != kNoAxis) shape.insert(shape.begin() + batch_axis, rows);
  return shape;
}

RowGeometry row_geometry(const DataInput& input, const Shape& row_dims) {
  const size_t element = element_size(input.info.type);
  RowGeometry geometry;
  for (int i = 0; i < input.batch_axis; ++i) {
    // A context on an axis before the batch axis makes that axis longer in the model's tensor.
    const bool grown = input.context && input.context->axis == i;
    geometry.outer *= static_cast<size_t>(row_dims[i] + (grown ? input.context->size : 0));
  }
  // An empty tensor has nothing to transpose; 1 keeps divisions by it harmless.
  geometry.outer = std::max<size_t>(1, geometry.outer);
  const int split = input.context ? input.context->axis : 0;
  for (int i = 0; i < split; ++i) geometry.pieces *= static_cast<size_t>(row_dims[i]);
  size_t inner = element;
  for (size_t i = split + (input.context ? 1 : 0); i < row_dims.size(); ++i) inner *= static_cast<size_t>(row_dims[i]);
  geometry.context_bytes = input.context ? static_cast<size_t>(input.context->size) * inner : 0;
  geometry.data_bytes = input.context ? static_cast<size_t>(row_dims[split]) * inner : inner;
  geometry.row_bytes = geometry.pieces * (geometry.context_bytes + geometry.data_bytes);
  return geometry;
}

RecordLayout record_layout(const ModelPlan& plan) {
  constexpr size_t kAlign = 16;
  RecordLayout layout;
  const auto place = [&layout](size_t bytes) {
    const size_t offset = layout.bytes;
    layout.bytes = (offset + bytes + kAlign - 1) / kAlign * kAlign;
    return offset;
  };
  for (const RecurrentState& state : plan.states) layout.state_offsets.push_back(place(state.row_bytes));
  for (const DataInput& input : plan.inputs) {
    size_t bytes = 0;
    if (input.context) {
      // The context's bytes do not depend on the length of the new data along the context's axis.
      Shape dims = input.row_dims;
      dims[input.context->axis] = 0;
      const RowGeometry geometry = row_geometry(input, dims);
      bytes = geometry.pieces * geometry.context_bytes;
    }
    layout.context_offsets.push_back(place(bytes));
  }
  return layout;
}

ModelPlan make_plan(const ModelConfig& config, const std::vector<TensorInfo>& inputs,
                    const std::vector<TensorInfo>& outputs) {
  const std::vector<StatePair> pairs = state_pairs(config, inputs, outputs);
  const std::vector<TensorInfo> data = data_inputs(inputs, config, pairs);
  check_names(config, inputs, data);

  ModelPlan plan;
  const BatchAxes axes = find_batch_axes(data);
  plan.batchable = axes.batchable;
  plan.why_not_batchable = axes.why_not;
  for (size_t i = 0; i < data.size(); ++i) {
    plan.inputs.push_back(plan_input(data[i], axes.axes[i], config));
    if (plan.inputs.back().context) check_context(plan.inputs.back());
  }
  for (const StatePair& pair : pairs) {
    const TensorInfo& input = tensor_named(inputs, pair.input, "state.input");
    const int axis = state_batch_axis(input, pair, axes.symbol);
    plan.states.push_back(plan_state(input, tensor_named(outputs, pair.output, "state.output"), pair, axis));
    const bool dynamic = axis != kNoAxis && input.dims[axis] < 0;
    if (!dynamic && plan.batchable) {
      plan.batchable = false;
      plan.why_not_batchable = "state '" + pair.input + "' has no dynamic batch axis";
    }
  }
  for (const ConstantConfig& constant : config.constants) {
    plan.constants.push_back({tensor_named(inputs, constant.input, "constants"), constant});
  }
  for (const TensorInfo& info : outputs) {
    if (find_by(pairs, info.name, [](const auto& p) { return p.output; }) != pairs.end()) continue;
    DataOutput output;
    output.info = info;
    output.batch_axis = output_batch_axis(info, axes);
    output.row_dims = without_axis(info.dims, output.batch_axis);
    plan.outputs.push_back(std::move(output));
  }
  return plan;
}

}  // namespace headrace
