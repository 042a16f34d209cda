// Reading a model's signature: batch axes and what counts as recurrent state.
#include "signature.h"

#include <doctest/doctest.h>

#include "model_plan.h"
#include "models.h"

namespace headrace {
namespace {

using testing::contains;
using testing::error_of;
using testing::floats;
using testing::tensor;

constexpr ElementType kInt64 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;

TEST_CASE("the batch axis is the dimension that is named like one, wherever it is") {
  for (const char* name : {"N", "B", "bs", "batch", "batch_size", "Batch-Size"}) {
    CAPTURE(name);
    CHECK(find_batch_axes({floats("x", {"time", name, "8"})}).axes == std::vector<int>{1});
    CHECK(find_batch_axes({floats("x", {name, "8"})}).batchable);
  }
}

TEST_CASE("without such a name it is a dynamic first dimension") {
  CHECK(find_batch_axes({floats("x", {"?", "8"})}).axes == std::vector<int>{0});
  CHECK(find_batch_axes({floats("x", {"dim_0", "8"}), floats("y", {"dim_0"})}).axes == std::vector<int>{0, 0});
}

TEST_CASE("an input without a dynamic batch axis makes the model not batchable, and says which") {
  const BatchAxes fixed = find_batch_axes({floats("x", {"1", "8"})});
  CHECK(fixed.axes == std::vector<int>{kNoAxis});
  CHECK_FALSE(fixed.batchable);
  CHECK(fixed.why_not == "input 'x' [1, 8] has no dynamic batch axis");
  const BatchAxes mixed = find_batch_axes({floats("x", {"batch", "8"}), floats("gain", {"1"})});
  CHECK(mixed.axes == std::vector<int>{0, kNoAxis});
  CHECK(contains(mixed.why_not, "'gain'"));
  CHECK_FALSE(find_batch_axes({}).batchable);
}

TEST_CASE("a state's batch axis: as given, by the batch's name, else its only dynamic dimension") {
  const StatePair automatic{"h", "hn", std::nullopt};
  CHECK(state_batch_axis(floats("h", {"2", "batch", "8"}), automatic, "batch") == 1);
  CHECK(state_batch_axis(floats("h", {"2", "?", "8"}), automatic, "batch") == 1);
  CHECK(state_batch_axis(floats("h", {"2", "1", "8"}), automatic, "batch") == kNoAxis);
  CHECK(state_batch_axis(floats("h", {"?", "?", "8"}), {"h", "hn", 1}, "") == 1);
  CHECK(state_batch_axis(floats("h", {"?", "?", "8"}), {"h", "hn", -2}, "") == 1);
}

TEST_CASE("a state's batch axis that cannot be is refused by message") {
  const auto ambiguous = error_of([] {
    state_batch_axis(floats("h", {"?", "?"}), {"h", "hn", std::nullopt}, "batch");
  });
  CHECK(ambiguous.first == Code::ModelInvalid);
  CHECK(contains(ambiguous.second, "several dynamic dimensions"));
  for (const int axis : {2, -3}) {
    const auto outside = error_of([&] { state_batch_axis(floats("h", {"?", "4"}), {"h", "hn", axis}, "batch"); });
    CHECK(outside.first == Code::ModelInvalid);
    CHECK(contains(outside.second, "batchAxis " + std::to_string(axis)));
  }
}

TEST_CASE("an output's batch axis is what its declared dimensions say") {
  const BatchAxes axes = find_batch_axes({floats("x", {"batch", "8"})});
  CHECK(output_batch_axis(floats("y", {"2", "batch"}), axes) == 1);
  CHECK(output_batch_axis(floats("y", {"?", "4"}), axes) == 0);
  CHECK(output_batch_axis(floats("y", {"1", "4"}), axes) == kNoAxis);
  CHECK(output_batch_axis(floats("y", {}), axes) == kNoAxis);
  CHECK(output_batch_axis(floats("y", {"?", "4"}), find_batch_axes({floats("x", {"1", "8"})})) == kNoAxis);
}

// The pairs found among `states` (input, output) next to a plain data input and output.
std::vector<StatePair> recognised(const std::vector<std::pair<std::string, std::string>>& states) {
  std::vector<TensorInfo> inputs{floats("audio", {"batch", "512"})};
  std::vector<TensorInfo> outputs{floats("probability", {"batch", "1"})};
  for (const auto& [in, out] : states) {
    inputs.push_back(floats(in, {"2", "batch", "64"}));
    outputs.push_back(floats(out, {"2", "batch", "64"}));
  }
  return recognise_state_pairs(inputs, outputs);
}

TEST_CASE("the usual names of recurrent state are recognised") {
  const std::vector<std::pair<std::string, std::string>> conventions{
      {"state", "stateN"},
      {"state", "state_out"},
      {"h0", "hn"},
      {"h_0", "h_1"},
      {"hidden_in", "hidden_out"},
      {"hidden", "new_hidden"},
      {"h", "h_next"},
      {"past_key", "present_key"},
      {"in_state", "out_state"},
      {"prev_cell", "next_cell"},
      {"initial_h", "Y_h"},
      {"c", "updated_c"},
      {"StateIn", "StateOut"},
      {"state_input", "state_output"},
      {"input_state", "output_state"},
      {"input_h", "output_h"},
  };
  for (const auto& [in, out] : conventions) {
    CAPTURE(in);
    const auto pairs = recognised({{in, out}});
    REQUIRE(pairs.size() == 1);
    CHECK(pairs[0].input == in);
    CHECK(pairs[0].output == out);
  }
}

TEST_CASE("several states pair by name, whatever their order") {
  const auto pairs = recognised({{"h0", "cn"}, {"c0", "hn"}});
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[0].output == "hn");
  CHECK(pairs[1].output == "cn");
}

TEST_CASE("plain data is not recognised as state") {
  for (const auto& [in, out] : std::vector<std::pair<std::string, std::string>>{{"input", "output"},
                                                                                {"input_1", "output_1"},
                                                                                {"input0", "output0"},
                                                                                {"input.1", "output.1"},
                                                                                {"x", "y"},
                                                                                {"image", "mask"},
                                                                                {"state", "probability2"}}) {
    CAPTURE(in);
    CHECK(recognised({{in, out}}).empty());
  }
}

TEST_CASE("a pair needs equal types, compatible shapes, and sizes that are known") {
  const std::vector<TensorInfo> data{floats("x", {"batch", "8"})};
  const auto pairs = [&](const TensorInfo& in, const TensorInfo& out) {
    return recognise_state_pairs({data[0], in}, {out}).size();
  };
  CHECK(pairs(floats("h0", {"batch", "4"}), floats("hn", {"batch", "4"})) == 1);
  CHECK(pairs(floats("h0", {"batch", "4"}), floats("hn", {"?", "4"})) == 1);
  CHECK(pairs(floats("h0", {"batch", "4"}), tensor("hn", kInt64, {"batch", "4"})) == 0);
  CHECK(pairs(floats("h0", {"batch", "4"}), floats("hn", {"batch", "5"})) == 0);
  CHECK(pairs(floats("h0", {"batch", "4"}), floats("hn", {"1", "batch", "4"})) == 0);
  CHECK(pairs(floats("past", {"batch", "length", "4"}), floats("present", {"batch", "length", "4"})) == 0);
  CHECK(pairs(tensor("h0", ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, {"batch"}),
              tensor("hn", ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, {"batch"})) == 0);
  CHECK(pairs(tensor("h0", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT4, {"batch", "4"}),
              tensor("hn", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT4, {"batch", "4"})) == 0);
  CHECK(pairs(floats("h0", {}), floats("hn", {})) == 0);
}

TEST_CASE("one output belongs to one state, and a model always keeps an input to feed") {
  const auto rows = [](const char* name) { return floats(name, {"batch", "4"}); };
  CHECK(recognise_state_pairs({rows("x"), rows("h"), rows("h0")}, {rows("hn"), rows("y")}).size() == 1);
  CHECK(recognise_state_pairs({rows("h0"), rows("c0")}, {rows("hn"), rows("cn")}).empty());
  CHECK(recognise_state_pairs({rows("h0")}, {rows("hn")}).empty());
}

TEST_CASE("tensors are listed by name and shape for messages") {
  CHECK(list_names({floats("a", {"1", "2"}), floats("b", {"?"})}) == "'a' [1, 2], 'b' [-1]");
  CHECK(list_names({}) == "none");
}

}  // namespace
}  // namespace headrace
