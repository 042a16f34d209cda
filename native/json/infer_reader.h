// V2 infer requests in JSON: the bytes of the body are looked at once, tensors become bytes on the way, and what is
// left is a small JSON header for whoever knows what the rest means.
//
// One thread at a time; nothing is allocated for a request that is like the one before.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar.h"
#include "problem.h"
#include "scratch.h"
#include "tensor_reader.h"

namespace headrace::json {

class InferReader {
 public:
  // Reads a request's JSON. Members count as JSON.parse has them: of two with one name the last one. False where it is
  // no JSON, or nested deeper than kMaxDepth: `problem` says where, and there is no header.
  bool read(std::string_view body);

  // The JSON with the value of each `inputs[i].data`, unless it is null, replaced by the number of its bytes in `data`.
  const std::string& header() const { return header_; }

  // The tensors of the last `inputs`, back to back in their order, each as in V2's binary form.
  const Scratch& data() const { return data_; }

  // How many tensors are in `data`.
  size_t tensors() const { return tensors_; }

  // What keeps the request from being served, if `read` was false or an element does not fit its tensor. Of the first
  // tensor with a problem; its `data` in the header is 0.
  const std::optional<Problem>& problem() const { return problem_; }

 private:
  // A value of `data`, and by what it is replaced in the header.
  struct Cut {
    const char* begin;
    const char* end;
    size_t bytes;
  };

  // What is known of an input while it is read.
  struct Input {
    size_t start = 0;  // in data_
    std::optional<Datatype> datatype;
    bool has_shape = false;
    size_t cut = kNone;    // of its last `data` that is not null
    bool is_read = false;  // the elements of that, in the form that is known now
  };
  static constexpr size_t kNone = static_cast<size_t>(-1);

  const char* read_body(Grammar& grammar, const char* p);
  const char* read_inputs(Grammar& grammar, const char* p);
  const char* read_input(Grammar& grammar, const char* p);
  const char* read_datatype(Grammar& grammar, const char* p, Input& input);
  const char* read_shape(Grammar& grammar, const char* p, Input& input);
  const char* read_data(Grammar& grammar, const char* p, Input& input);
  const char* read_elements(Grammar& grammar, const char* p, Input& input);
  void finish_input(Grammar& grammar, Input& input);
  void write_header();

  std::string_view body_;
  size_t index_ = 0;  // of the input that is read
  TensorForm form_;   // of that input, as far as it is known
  std::vector<Cut> cuts_;
  std::string header_;
  Scratch data_;
  size_t tensors_ = 0;
  std::optional<Problem> problem_;
};

}  // namespace headrace::json
