// Plans: how a step lies in memory, and what is refused with which message.
#include "model_plan.h"

#include <doctest/doctest.h>

#include "models.h"

namespace headrace {
namespace {

using testing::contains;
using testing::error_of;
using testing::floats;
using testing::tensor;

constexpr ElementType kString = ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING;
constexpr ElementType kInt64 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;

// The plan of Silero VAD's signature, which has one of everything.
const std::vector<TensorInfo> kVadInputs{floats("input", {"batch", "576"}), floats("state", {"2", "batch", "128"}),
                                         tensor("sr", kInt64, {})};
const std::vector<TensorInfo> kVadOutputs{floats("output", {"batch", "1"}), floats("stateN", {"2", "batch", "128"})};

ModelConfig vad_config() {
  ModelConfig config;
  config.constants.push_back({"sr", int64_t{16000}});
  config.context.push_back({"input", 64, -1});
  return config;
}

// Message of what make_plan refuses as ModelInvalid.
std::string refusal(const ModelConfig& config, const std::vector<TensorInfo>& inputs,
                    const std::vector<TensorInfo>& outputs) {
  const auto error = error_of([&] { make_plan(config, inputs, outputs); });
  CHECK(error.first == Code::ModelInvalid);
  return error.second;
}

DataInput with_context(const std::vector<std::string>& dims, int batch_axis, int context_axis, int64_t size) {
  ModelConfig config;
  config.context.push_back({"x", size, context_axis});
  std::vector<std::string> named = dims;
  named[static_cast<size_t>(batch_axis)] = "batch";
  return make_plan(config, {floats("x", named)}, {}).inputs[0];
}

TEST_CASE("a model with state, context and constant: each input finds its place") {
  const ModelPlan plan = make_plan(vad_config(), kVadInputs, kVadOutputs);
  REQUIRE(plan.inputs.size() == 1);
  CHECK(plan.inputs[0].info.name == "input");
  CHECK(plan.inputs[0].row_dims == Shape{512});
  CHECK(plan.inputs[0].fixed);
  REQUIRE(plan.states.size() == 1);
  CHECK(plan.states[0].batch_axis == 1);
  CHECK(plan.states[0].row_dims == Shape{2, 128});
  CHECK(plan.states[0].row_bytes == 1024);
  REQUIRE(plan.constants.size() == 1);
  REQUIRE(plan.outputs.size() == 1);
  CHECK(plan.outputs[0].info.name == "output");
  CHECK(plan.batchable);
  CHECK(plan.stateful());
  CHECK(plan.fixed_inputs());
}

TEST_CASE("an input that the configuration makes a constant is not recognised as state") {
  ModelConfig config;
  config.constants.push_back({"h0", 0.0});
  const ModelPlan plan = make_plan(config, {floats("x", {"batch", "2"}), floats("h0", {"batch", "2"})},
                                   {floats("y", {"batch", "2"}), floats("hn", {"batch", "2"})});
  CHECK(plan.states.empty());
  CHECK(plan.constants.size() == 1);
  CHECK(plan.outputs.size() == 2);
}

TEST_CASE("an input with a declared context is data, whatever its name") {
  ModelConfig config;
  config.context.push_back({"frame_in", 1, -1});
  const ModelPlan plan = make_plan(config, {floats("frame_in", {"batch", "4"}), floats("gain", {"batch"})},
                                   {floats("frame_out", {"batch", "4"})});
  CHECK(plan.states.empty());
  CHECK(plan.inputs.size() == 2);
}

TEST_CASE("names that the model does not have are refused, with those that it has") {
  ModelConfig config;
  config.constants.push_back({"rate", int64_t{1}});
  CHECK(
      contains(refusal(config, kVadInputs, kVadOutputs), "constants names tensor 'rate', but the model has only 'in"));
  config = {};
  config.state = std::vector<StatePair>{{"hidden", "stateN", std::nullopt}};
  CHECK(contains(refusal(config, kVadInputs, kVadOutputs), "state.input names tensor 'hidden'"));
  config.state = std::vector<StatePair>{{"state", "hidden", std::nullopt}};
  CHECK(contains(refusal(config, kVadInputs, kVadOutputs), "state.output names tensor 'hidden'"));
  config = {};
  config.context.push_back({"state", 4, -1});
  config.state = std::vector<StatePair>{{"state", "stateN", std::nullopt}};
  CHECK(contains(refusal(config, kVadInputs, kVadOutputs), "context names tensor 'state'"));
  config = {};
  config.shapes.push_back({"state", {1}});
  CHECK(contains(refusal(config, kVadInputs, kVadOutputs), "inputs names tensor 'state'"));
}

TEST_CASE("a tensor has one role: state twice, or state and constant, is refused") {
  ModelConfig config;
  config.state = std::vector<StatePair>{{"state", "stateN", std::nullopt}, {"state", "stateN", std::nullopt}};
  CHECK(contains(refusal(config, kVadInputs, kVadOutputs), "'state'"));
  config.state = std::vector<StatePair>{{"state", "stateN", std::nullopt}};
  config.constants.push_back({"state", 0.0});
  CHECK(contains(refusal(config, kVadInputs, kVadOutputs), "'state'"));
}

TEST_CASE("a state needs equal types and a known size, and a batch axis that can hold one row") {
  ModelConfig config;
  config.state = std::vector<StatePair>{{"h", "hn", std::nullopt}};
  const TensorInfo x = floats("x", {"batch", "2"});
  CHECK(contains(refusal(config, {x, floats("h", {"batch"})}, {tensor("hn", kInt64, {"batch"})}),
                 "different element types"));
  CHECK(contains(refusal(config, {x, floats("h", {"batch", "length"})}, {floats("hn", {"batch", "length"})}),
                 "only the batch axis may be dynamic"));
  config.state = std::vector<StatePair>{{"h", "hn", 0}};
  CHECK(contains(refusal(config, {x, floats("h", {"2", "1", "4"})}, {floats("hn", {"2", "1", "4"})}), "batchAxis 0"));
  const auto text = error_of([&] {
    make_plan(config, {x, tensor("h", kString, {"batch"})}, {tensor("hn", kString, {"batch"})});
  });
  CHECK(text.first == Code::Unimplemented);
}

TEST_CASE("a state whose batch is fixed to one row makes the model not batchable") {
  ModelConfig config;
  config.state = std::vector<StatePair>{{"h", "hn", 1}};
  const ModelPlan plan = make_plan(config, {floats("x", {"batch", "2"}), floats("h", {"2", "1", "4"})},
                                   {floats("y", {"batch", "2"}), floats("hn", {"2", "1", "4"})});
  CHECK_FALSE(plan.batchable);
  CHECK(contains(plan.why_not_batchable, "state 'h'"));
  CHECK(plan.states[0].row_dims == Shape{2, 4});
}

TEST_CASE("a context that does not fit is refused") {
  const auto context = [](int64_t size, int axis) {
    ModelConfig config;
    config.context.push_back({"x", size, axis});
    return refusal(config, {floats("x", {"batch", "8"})}, {});
  };
  CHECK(contains(context(0, -1), "a size above 0"));
  CHECK(contains(context(2, 0), "other than its batch axis"));
  CHECK(contains(context(2, 2), "other than its batch axis"));
  CHECK(contains(context(8, -1), "takes 8 elements, but the model's axis has only 8"));
  ModelConfig config;
  config.context.push_back({"x", 2, -1});
  CHECK(contains(refusal(config, {floats("x", {"batch", "rows", "length"})}, {}), "every other dimension fixed"));
  CHECK(contains(refusal(config, {tensor("x", kString, {"batch", "8"})}, {}), "strings cannot be context"));
  config.context[0].size = int64_t{1} << 62;
  CHECK(error_of([&] { make_plan(config, {floats("x", {"batch", "length"})}, {}); }).first != Code::Ok);
}

TEST_CASE("declared shapes fix open dimensions and must not contradict the model") {
  ModelConfig config;
  config.shapes.push_back({"x", {-1, 16, 3}});
  const ModelPlan plan = make_plan(config, {floats("x", {"batch", "length", "3"})}, {});
  CHECK(plan.inputs[0].row_dims == Shape{16, 3});
  CHECK(plan.inputs[0].fixed);
  config.shapes[0].dims = {-1, 16, 4};
  CHECK(contains(refusal(config, {floats("x", {"batch", "length", "3"})}, {}), "declared type has shape [-1, 16, 4]"));
  config.shapes[0].dims = {-1, 16};
  CHECK(contains(refusal(config, {floats("x", {"batch", "length", "3"})}, {}), "has 3 dimensions in the model"));
}

TEST_CASE("row geometry: batch first is one run, other batch axes are pieces") {
  ModelConfig config;
  const ModelPlan first = make_plan(config, {floats("x", {"batch", "3", "4"})}, {});
  const RowGeometry row = row_geometry(first.inputs[0], {3, 4});
  CHECK(row.row_major());
  CHECK(row.row_bytes == 48);
  CHECK(row.submit_bytes() == 48);
  const ModelPlan second = make_plan(config, {floats("x", {"5", "batch", "4"})}, {});
  const RowGeometry pieces = row_geometry(second.inputs[0], {5, 4});
  CHECK(pieces.outer == 5);
  CHECK(pieces.row_bytes == 80);
}

TEST_CASE("row geometry: the context may lie on any axis") {
  const RowGeometry last = row_geometry(with_context({"", "2", "7"}, 0, -1, 3), {2, 4});
  CHECK(last.pieces == 2);
  CHECK(last.context_bytes == 12);
  CHECK(last.data_bytes == 16);
  CHECK(last.row_bytes == 56);
  const RowGeometry middle = row_geometry(with_context({"", "2", "7", "5"}, 0, 2, 3), {2, 4, 5});
  CHECK(middle.pieces == 2);
  CHECK(middle.context_bytes == 60);
  CHECK(middle.submit_bytes() == 160);
  // Time before batch: the context makes the axis before the batch axis longer.
  const RowGeometry before = row_geometry(with_context({"7", "", "2"}, 1, 0, 3), {4, 2});
  CHECK(before.outer == 7);
  CHECK(before.pieces == 1);
  CHECK(before.context_bytes == 24);
  CHECK(before.row_bytes == 56);
}

TEST_CASE("row geometry: empty rows have no bytes and nothing to divide by") {
  ModelConfig config;
  const ModelPlan plan = make_plan(config, {floats("x", {"length", "batch", "4"})}, {});
  const RowGeometry row = row_geometry(plan.inputs[0], {0, 4});
  CHECK(row.outer == 1);
  CHECK(row.row_bytes == 0);
}

TEST_CASE("a record holds every state and context, aligned and apart") {
  const ModelPlan plan = make_plan(vad_config(), kVadInputs, kVadOutputs);
  const RecordLayout layout = record_layout(plan);
  CHECK(layout.state_offsets == std::vector<size_t>{0});
  CHECK(layout.context_offsets == std::vector<size_t>{1024});
  CHECK(layout.bytes == 1024 + 256);
  const ModelPlan odd =
      make_plan({}, {floats("x", {"batch", "1"}), floats("a", {"batch", "1"}), tensor("b", kInt64, {"batch", "1"})},
                {floats("an", {"batch", "1"}), tensor("bn", kInt64, {"batch", "1"})});
  CHECK(record_layout(odd).state_offsets == std::vector<size_t>{0, 16});
}

TEST_CASE("shapes lose and regain their batch axis") {
  CHECK(without_axis({2, -1, 4}, 1) == Shape{2, 4});
  CHECK(without_axis({2, 4}, kNoAxis) == Shape{2, 4});
  CHECK(shape_with_batch({2, 4}, 1, 7) == Shape{2, 7, 4});
  CHECK(shape_with_batch({2, 4}, kNoAxis, 7) == Shape{2, 4});
}

}  // namespace
}  // namespace headrace
