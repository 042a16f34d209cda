// The JSON header of a V2 infer request, as far as it is an ordinary one.
//
// What says more, says it twice, or says it in an unusual way (escapes in strings, numbers with exponents, members that
// have another reader) is left to JavaScript, which knows all of the protocol and how to say what is wrong: nothing is
// ever refused here, it is just not understood.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "datatype.h"

namespace headrace {

// Views are into the text that was read.
struct InferHeader {
  struct Input {
    std::string_view name;
    json::Datatype datatype = json::Datatype::Fp32;
    std::vector<int64_t> shape;
    std::optional<uint64_t> data_bytes;    // of `data`, which json::InferReader has moved out
    std::optional<uint64_t> binary_bytes;  // of binary_data_size
  };
  struct Output {
    std::string_view name;
    std::optional<bool> binary;
  };

  std::optional<std::string_view> id;
  std::string_view sequence_id;  // its canonical name; empty: none
  bool sequence_start = false;
  bool sequence_end = false;
  uint64_t priority = 0;
  uint64_t timeout_micros = 0;
  bool binary_output = false;  // of outputs that do not say it themselves
  std::vector<Input> inputs;
  std::vector<Output> outputs;  // empty: all
};

// False: it is not understood, and what `header` has then means nothing.
bool read_infer_header(std::string_view json, InferHeader& header);

}  // namespace headrace
