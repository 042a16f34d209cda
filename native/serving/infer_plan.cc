#include "infer_plan.h"

#include <algorithm>
#include <cstring>

#include "tensor_writer.h"
#include "text_json.h"

namespace headrace {
namespace {

// As src/protocol/encode.ts: white space after the JSON aligns the first tensor.
constexpr size_t kAlignment = 8;
constexpr uint32_t kMaxPriority = 255;

// 0 or 1 dimensions of a shape may be of any size: the batch axis.
bool fits(const InferTensor& wanted, const std::vector<int64_t>& shape, uint32_t& rows) {
  if (shape.size() != wanted.shape.size()) return false;
  rows = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (static_cast<int>(axis) != wanted.batch_axis) {
      if (shape[axis] != wanted.shape[axis]) return false;
    } else {
      if (shape[axis] < 1 || shape[axis] > UINT16_MAX) return false;
      rows = static_cast<uint32_t>(shape[axis]);
    }
  }
  // Rows of another layout are not back to back.
  return rows == 1 || wanted.batch_axis == 0;
}

bool plan_inputs(const InferSpec& spec, const InferHeader& header, bool is_json, InferPlan& plan) {
  if (header.inputs.size() != spec.inputs.size() || header.inputs.empty()) return false;
  plan.inputs.resize(spec.inputs.size());
  std::vector<bool> has(spec.inputs.size());
  for (size_t i = 0; i < header.inputs.size(); ++i) {
    const InferHeader::Input& input = header.inputs[i];
    const auto found = std::find_if(spec.inputs.begin(), spec.inputs.end(),
                                    [&](const InferTensor& tensor) { return tensor.name == input.name; });
    if (found == spec.inputs.end() || found->datatype != input.datatype || has[found->index]) return false;
    uint32_t rows = 0;
    if (!fits(*found, input.shape, rows) || (i > 0 && rows != plan.rows)) return false;
    plan.rows = rows;
    // Binary booleans have to be looked at one by one.
    if (!is_json && input.datatype == json::Datatype::Bool) return false;
    const std::optional<uint64_t>& bytes = is_json ? input.data_bytes : input.binary_bytes;
    if ((is_json ? input.binary_bytes : input.data_bytes).has_value()) return false;
    if (bytes != uint64_t{found->row_bytes} * rows) return false;
    has[found->index] = true;
    plan.inputs[found->index] = {found->index, plan.input_bytes, found->row_bytes};
    plan.input_bytes += static_cast<size_t>(*bytes);
  }
  return true;
}

const InferHeader::Output* wanted(const InferHeader& header, std::string_view name) {
  const auto found = std::find_if(header.outputs.begin(), header.outputs.end(),
                                  [&](const InferHeader::Output& output) { return output.name == name; });
  return found == header.outputs.end() ? nullptr : &*found;
}

// Whether each name is an output's, and none there twice.
bool names_outputs(const InferSpec& spec, const InferHeader& header) {
  for (const InferHeader::Output& output : header.outputs) {
    if (wanted(header, output.name) != &output) return false;
    const bool is_known = std::any_of(spec.outputs.begin(), spec.outputs.end(),
                                      [&](const InferTensor& tensor) { return tensor.name == output.name; });
    if (!is_known) return false;
  }
  return true;
}

std::string shape_text(const InferTensor& tensor, uint32_t rows) {
  std::string text;
  for (size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    if (axis > 0) text += ',';
    text += std::to_string(static_cast<int>(axis) == tensor.batch_axis ? rows : tensor.shape[axis]);
  }
  return text;
}

std::string answer_start(const InferSpec& spec, const InferHeader& header) {
  std::string text = "{\"model_name\":" + json_text(spec.model_name);
  text += ",\"model_version\":" + json_text(spec.model_version);
  // It has no escapes, so that its text is what it was.
  if (header.id) text.append(",\"id\":\"").append(*header.id).append("\"");
  return text += ",\"outputs\":[";
}

// The texts around the elements, or, of a binary answer, the JSON before all of them.
bool plan_outputs(const InferSpec& spec, const InferHeader& header, InferPlan& plan) {
  std::string text = answer_start(spec, header);
  size_t binary = 0;
  for (const InferTensor& tensor : spec.outputs) {
    const InferHeader::Output* const asked = wanted(header, tensor.name);
    if (asked == nullptr && !header.outputs.empty()) continue;
    if (tensor.batch_axis > 0 && plan.rows > 1) return false;
    if (tensor.batch_axis < 0 && plan.rows > 1) return false;
    const bool is_binary = asked != nullptr && asked->binary ? *asked->binary : header.binary_output;
    const json::DatatypeInfo& type = json::info_of(tensor.datatype);
    InferOutputRows output{
        {tensor.index, plan.output_bytes, tensor.row_bytes}, tensor.datatype, tensor.row_bytes / type.bytes};
    const size_t bytes = tensor.row_bytes * plan.rows;
    if (!plan.outputs.empty()) text += ',';
    text += "{\"name\":" + json_text(tensor.name) + ",\"datatype\":\"";
    text.append(type.name).append("\",\"shape\":[").append(shape_text(tensor, plan.rows)).append("]");
    if (is_binary) {
      ++binary;
      text += ",\"parameters\":{\"binary_data_size\":" + std::to_string(bytes) + "}}";
      plan.most_body += bytes;
    } else {
      text += ",\"data\":";
      plan.texts.push_back(std::exchange(text, "}"));
      plan.most_body += json::most_text(tensor.datatype, output.elements * plan.rows);
    }
    plan.outputs.push_back(output);
    plan.output_bytes += bytes;
  }
  plan.texts.push_back(text + "]}");
  plan.is_binary = binary > 0;
  return binary == 0 || binary == plan.outputs.size();
}

void finish_answer(InferPlan& plan) {
  plan.head = "200 OK\r\nContent-Type: application/json\r\n";
  if (plan.is_binary) {
    std::string& text = plan.texts.front();
    text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
    plan.head = "200 OK\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-Length: " +
                std::to_string(text.size()) + "\r\n";
  }
  for (const std::string& text : plan.texts) plan.most_body += text.size();
}

uint32_t priority_of(const InferPolicy& policy, uint64_t asked) {
  if (policy.priority_levels == 0) return static_cast<uint32_t>(std::min<uint64_t>(asked, kMaxPriority));
  return asked >= 1 && asked <= policy.priority_levels ? static_cast<uint32_t>(asked) : policy.default_priority;
}

std::byte* append(std::vector<std::byte>& body, size_t bytes) {
  const size_t at = body.size();
  body.resize(at + bytes);
  return body.data() + at;
}

void append(std::vector<std::byte>& body, std::string_view text) {
  std::memcpy(append(body, text.size()), text.data(), text.size());
}

}  // namespace

std::optional<InferPlan> plan_infer(const InferSpec& spec, const InferHeader& header, bool is_json) {
  InferPlan plan;
  // A timeout needs a timer, which I/O threads have not.
  if (header.timeout_micros != 0) return std::nullopt;
  if (header.sequence_id.empty() && (header.sequence_start || header.sequence_end)) return std::nullopt;
  if (!plan_inputs(spec, header, is_json, plan)) return std::nullopt;
  if (plan.rows > 1 && !header.sequence_id.empty()) return std::nullopt;
  if (!names_outputs(spec, header) || !plan_outputs(spec, header, plan)) return std::nullopt;
  finish_answer(plan);
  plan.sequence_id = header.sequence_id;
  plan.step.start = header.sequence_start;
  plan.step.end = header.sequence_end;
  plan.step.priority = priority_of(spec.policy, header.priority);
  return plan;
}

void InferPlan::write_body(std::span<const std::byte> rows, std::vector<std::byte>& body) const {
  body.clear();
  if (is_binary) {
    append(body, texts.front());
    std::memcpy(append(body, rows.size()), rows.data(), rows.size());
    return;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    append(body, texts[i]);
    const InferOutputRows& output = outputs[i];
    const size_t count = output.elements * this->rows;
    const size_t at = body.size();
    char* const out = reinterpret_cast<char*>(append(body, json::most_text(output.datatype, count)));
    const char* const end = json::write_tensor(output.datatype, rows.data() + output.offset, count, out);
    body.resize(at + static_cast<size_t>(end - out));
  }
  append(body, texts.back());
}

}  // namespace headrace
