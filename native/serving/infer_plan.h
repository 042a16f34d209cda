// What follows from a request's JSON header alone: which rows to step, and all of the answer but the elements. Made
// once for a header that comes again and again, as a steady client's does.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infer_header.h"
#include "infer_spec.h"
#include "scheduler.h"

namespace headrace {

// Where the elements of a tensor are in the bytes that come with a header, and in those of one answer's rows.
struct InferRows {
  size_t index = 0;      // the engine's
  size_t offset = 0;     // of the first row
  size_t row_bytes = 0;  // the rows are back to back
};

struct InferOutputRows : InferRows {
  json::Datatype datatype = json::Datatype::Fp32;
  size_t elements = 0;  // of a row
};

// Immutable.
struct InferPlan {
  uint32_t rows = 1;
  std::string sequence_id;        // empty: none
  StepSpec step;                  // without the state
  std::vector<InferRows> inputs;  // by the engine's index
  size_t input_bytes = 0;         // of all inputs and rows
  std::vector<InferOutputRows> outputs;
  size_t output_bytes = 0;  // of all outputs and rows

  std::string head;                // of the answer: status line and fields
  bool is_binary = false;          // whether the elements come after the JSON
  std::vector<std::string> texts;  // of the JSON: before the elements of the first output, between, after the last
  size_t most_body = 0;            // bytes that the answer's body has at most

  // The answer's body. `rows` has those of all outputs, as `outputs` says.
  void write_body(std::span<const std::byte> rows, std::vector<std::byte>& body) const;
};

// Undefined where the request is none for the engine as it is, or wrong. `is_json`: the elements were in the JSON.
std::optional<InferPlan> plan_infer(const InferSpec& spec, const InferHeader& header, bool is_json);

}  // namespace headrace
