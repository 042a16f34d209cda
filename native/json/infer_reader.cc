#include "infer_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "decimal.h"
#include "elements.h"
#include "text.h"

namespace headrace::json {
namespace {

// As many as src/protocol/tensor.ts allows, which says so.
constexpr size_t kMaxRank = 32;
constexpr double kMaxSafeInteger = 0x1.fffffffffffffp52;

// Of values in the body: the body, an input, its members.
constexpr int kMemberDepth = 1;
constexpr int kInputDepth = 2;
constexpr int kInputMemberDepth = 3;

// Whether the name in quotes is `name`, however it is written.
bool is_named(const char* begin, const char* end, std::string_view name) {
  const std::string_view quoted(begin, static_cast<size_t>(end - begin));
  if (quoted.size() == name.size() + 2) return quoted.substr(1, name.size()) == name;
  return quoted.find('\\') != std::string_view::npos && text_of(begin, end) == name;
}

}  // namespace

bool InferReader::read(std::string_view body) {
  body_ = body;
  cuts_.clear();
  header_.clear();
  data_.shrink(0);
  tensors_ = 0;
  problem_.reset();
  Grammar grammar(body.data(), body.data() + body.size());
  const char* p = read_body(grammar, grammar.space(body.data()));
  if (p != nullptr) p = grammar.space(p);
  if (p != nullptr && p != grammar.end()) p = grammar.fail(p, "the end");
  if (p == nullptr) {
    problem_ = grammar.problem();
    return false;
  }
  write_header();
  return true;
}

const char* InferReader::read_body(Grammar& grammar, const char* p) {
  if (p == grammar.end() || *p != '{') return grammar.skip_value(p, 0);
  return grammar.each_member(p, [&](const char* name, const char* name_end, const char* value) {
    if (is_named(name, name_end, "inputs")) return read_inputs(grammar, value);
    return grammar.skip_value(value, kMemberDepth);
  });
}

const char* InferReader::read_inputs(Grammar& grammar, const char* p) {
  // Whatever an earlier member of that name had.
  data_.shrink(0);
  tensors_ = 0;
  problem_.reset();
  index_ = 0;
  if (p == grammar.end() || *p != '[') return grammar.skip_value(p, kMemberDepth);
  return grammar.each_element(p, [&](const char* value) {
    const bool is_object = value != grammar.end() && *value == '{';
    const char* const after = is_object ? read_input(grammar, value) : grammar.skip_value(value, kInputDepth);
    ++index_;
    return after;
  });
}

const char* InferReader::read_input(Grammar& grammar, const char* p) {
  Input input;
  input.start = data_.size();
  const char* const after = grammar.each_member(p, [&](const char* name, const char* name_end, const char* value) {
    if (is_named(name, name_end, "datatype")) return read_datatype(grammar, value, input);
    if (is_named(name, name_end, "shape")) return read_shape(grammar, value, input);
    if (is_named(name, name_end, "data")) return read_data(grammar, value, input);
    return grammar.skip_value(value, kInputMemberDepth);
  });
  if (after != nullptr) finish_input(grammar, input);
  return after;
}

const char* InferReader::read_datatype(Grammar& grammar, const char* p, Input& input) {
  input.datatype.reset();
  input.is_read = false;
  const char* const after = grammar.skip_value(p, kInputMemberDepth);
  if (after != nullptr && *p == '"') {
    const bool is_escaped = std::find(p, after, '\\') != after;
    input.datatype =
        is_escaped ? datatype_named(text_of(p, after)) : datatype_named({p + 1, static_cast<size_t>(after - p) - 2});
  }
  return after;
}

// A shape that is none leaves `has_shape` false: to say why is not this reader's.
const char* InferReader::read_shape(Grammar& grammar, const char* p, Input& input) {
  input.has_shape = false;
  input.is_read = false;
  if (p == grammar.end() || *p != '[') return grammar.skip_value(p, kInputMemberDepth);
  form_.shape.clear();
  bool is_shape = true;
  double count = 1;
  const char* const after = grammar.each_element(p, [&](const char* value) {
    const char* const value_end = grammar.skip_value(value, kInputMemberDepth + 1);
    if (value_end == nullptr || !is_shape) return value_end;
    Decimal number;
    const bool is_number = read_decimal(value, value_end, number) == value_end;
    const double dimension = is_number ? to_double(number, value, value_end) : -1;
    is_shape = dimension >= 0 && dimension <= kMaxSafeInteger && dimension == std::trunc(dimension) &&
               form_.shape.size() < kMaxRank;
    if (!is_shape) return value_end;
    form_.shape.push_back(static_cast<uint64_t>(dimension));
    count *= dimension;
    return value_end;
  });
  input.has_shape = is_shape && count <= kMaxSafeInteger;
  if (input.has_shape) form_.count = static_cast<uint64_t>(count);
  return after;
}

const char* InferReader::read_data(Grammar& grammar, const char* p, Input& input) {
  input.cut = kNone;
  const char* after = read_elements(grammar, p, input);
  // Where the form comes after the data, or is wrong, or the data does not fit it: first of all it must be JSON.
  if (after == nullptr) after = grammar.skip_value(p, kInputMemberDepth, true);
  if (after == nullptr || *p == 'n') return after;
  input.cut = cuts_.size();
  cuts_.push_back({p, after, 0});
  return after;
}

const char* InferReader::read_elements(Grammar& grammar, const char* p, Input& input) {
  data_.shrink(input.start);
  input.is_read = false;
  if (!input.datatype || !input.has_shape) return nullptr;
  form_.datatype = *input.datatype;
  const char* const after = read_tensor(form_, body_.data(), p, grammar.end(), data_);
  input.is_read = after != nullptr;
  if (!input.is_read) data_.shrink(input.start);
  return after;
}

void InferReader::finish_input(Grammar& grammar, Input& input) {
  if (input.cut == kNone) return;
  ++tensors_;
  Cut& cut = cuts_[input.cut];
  if (input.is_read || read_elements(grammar, cut.begin, input) != nullptr) {
    cut.bytes = data_.size() - input.start;
  } else if (!problem_) {
    const std::string path = "inputs[" + std::to_string(index_) + "]";
    problem_ = input.datatype && input.has_shape ? explain_tensor(form_, cut.begin, cut.end, path + ".data")
                                                 : Problem{path, "has no datatype or no shape that data could have"};
  }
}

void InferReader::write_header() {
  const char* from = body_.data();
  for (const Cut& cut : cuts_) {
    header_.append(from, cut.begin);
    char digits[20];
    header_.append(digits, std::to_chars(digits, digits + sizeof digits, cut.bytes).ptr);
    from = cut.end;
  }
  header_.append(from, body_.data() + body_.size());
}

}  // namespace headrace::json
