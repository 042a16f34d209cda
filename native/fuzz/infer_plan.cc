// What follows from the JSON header of an infer request: a plan takes the bytes that the header says, in rows that lie
// within them, and writes an answer that is JSON and no longer than it said.
//
// The first byte of an input says which form the request has, and how the server treats priorities.
#include "infer_plan.h"

#include <numeric>

#include "grammar.h"
#include "pieces.h"
#include "property.h"

namespace headrace::fuzz {
namespace {

using json::Datatype;

InferSpec spec_of(uint8_t how) {
  InferSpec spec;
  spec.model_name = (how & 2) != 0 ? "a \"model\"\n" : "m";
  spec.model_version = "1";
  spec.inputs = {{"x", Datatype::Fp32, {-1, 2}, 0, 0, 8}, {"n", Datatype::Int64, {-1}, 0, 1, 8}};
  if ((how & 4) != 0) spec.inputs = {{"x", Datatype::Bool, {3}, -1, 0, 3}};
  if ((how & 8) != 0) spec.inputs = {{"x", Datatype::Fp16, {2, -1}, 1, 0, 4}};
  spec.outputs = {{"y", Datatype::Fp32, {-1, 2}, 0, 0, 8}, {"z", Datatype::Uint64, {-1, 1}, 0, 1, 8}};
  if ((how & 16) != 0) spec.outputs.push_back({"b", Datatype::Bool, {1}, -1, 2, 1});
  if ((how & 32) != 0) spec.outputs.push_back({"t", Datatype::Bf16, {1, -1}, 1, spec.outputs.size(), 2});
  spec.max_body = 1 << 20;
  spec.policy = {(how & 64) != 0 ? 3U : 0U, (how & 64) != 0 ? 2U : 0U};
  return spec;
}

bool is_json_text(std::string_view text) {
  // Numbers may be NaN and infinite, as Triton writes them.
  json::Grammar grammar(text.data(), text.data() + text.size());
  const char* const after = grammar.skip_value(grammar.space(text.data()), 0, true);
  return after != nullptr && grammar.space(after) == grammar.end();
}

void check_answer(const InferPlan& plan, uint8_t seed) {
  std::vector<std::byte> rows(plan.output_bytes);
  uint32_t state = seed;
  for (std::byte& byte : rows) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  std::vector<std::byte> body;
  plan.write_body(rows, body);
  demand(body.size() <= plan.most_body, "no longer than it said");
  const std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
  demand(is_json_text(plan.is_binary ? text.substr(0, plan.texts.front().size()) : text), "an answer is JSON");
  demand(!plan.is_binary || plan.texts.front().size() % 8 == 0, "the first tensor is aligned");
}

void check_plan(const InferSpec& spec, const InferHeader& header, const InferPlan& plan, uint8_t seed) {
  demand(plan.rows >= 1 && plan.rows <= UINT16_MAX, "rows");
  demand(plan.inputs.size() == spec.inputs.size(), "all inputs");
  size_t bytes = 0;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    demand(plan.inputs[i].index == i, "inputs in the engine's order");
    demand(plan.inputs[i].offset + plan.inputs[i].row_bytes * plan.rows <= plan.input_bytes, "inputs within");
    bytes += plan.inputs[i].row_bytes * plan.rows;
  }
  demand(bytes == plan.input_bytes, "nothing more and nothing less");
  for (const InferOutputRows& output : plan.outputs)
    demand(output.offset + output.row_bytes * plan.rows <= plan.output_bytes, "outputs within");
  demand(plan.sequence_id == header.sequence_id && (plan.rows == 1 || plan.sequence_id.empty()), "one row of a state");
  demand(plan.step.priority <= 255, "a priority that there is");
  check_answer(plan, seed);
}

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  using namespace headrace::fuzz;
  if (size == 0) return 0;
  static InferHeader header;  // the one before must not shine through
  const std::vector<char> copy = copy_of({reinterpret_cast<const char*>(data + 1), size - 1});
  if (!read_infer_header({copy.data(), copy.size()}, header)) return 0;
  const InferSpec spec = spec_of(data[0]);
  const std::optional<InferPlan> plan = plan_infer(spec, header, (data[0] & 1) != 0);
  if (plan && plan->output_bytes <= 1 << 20) check_plan(spec, header, *plan, data[0]);
  return 0;
}
