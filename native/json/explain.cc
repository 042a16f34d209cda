// What is wrong with `data`, once it is known that something is: another walk, for the message alone.
#include <string_view>

#include "elements.h"
#include "grammar.h"
#include "tensor_reader.h"
#include "text.h"

namespace headrace::json {
namespace {

class Explainer {
 public:
  Explainer(const TensorForm& form, const char* begin, const char* end)
      : form_(form), one_{form.datatype, {}, 1}, begin_(begin), end_(end), grammar_(begin, end) {}

  // The first problem of the value at `p`, whose path is `path`; none is found where all of it fits.
  const char* row(const char* p, const std::string& path);
  const char* nested(const char* p, size_t axis, const std::string& path);
  const char* element(const char* p, const std::string& path);

  uint64_t length_of(const char* p);
  std::nullptr_t fail(const std::string& path, const std::string& message);
  std::string show(const char* p);

  Problem problem;

 private:
  std::string expected() const;

  const TensorForm& form_;
  const TensorForm one_;  // a single element of it
  const char* const begin_;
  const char* const end_;
  Grammar grammar_;
  Scratch scratch_;
};

std::string at(const std::string& path, uint64_t index) { return path + '[' + std::to_string(index) + ']'; }

std::nullptr_t Explainer::fail(const std::string& path, const std::string& message) {
  if (problem.message.empty()) problem = {path, message};
  return nullptr;
}

uint64_t Explainer::length_of(const char* p) {
  uint64_t length = 0;
  grammar_.each_element(p, [&](const char* value) {
    ++length;
    return grammar_.skip_value(value, 0, true);
  });
  return length;
}

// A value in the words of an error message, never longer than a line.
std::string Explainer::show(const char* p) {
  if (p == end_) return "nothing";
  if (*p == '[') return "an array of " + std::to_string(length_of(p));
  if (*p == '{') return "an object";
  const char* const after = grammar_.skip_value(p, 0, true);
  if (after == nullptr) return "no JSON";
  const std::string_view text(p, static_cast<size_t>(after - p));
  constexpr size_t kMost = 42;
  if (text.size() <= kMost) return std::string(text);
  // Not in the middle of a character.
  size_t length = kMost;
  while ((text[length] & 0xc0) == 0x80) --length;
  return std::string(text.substr(0, length)) + "…" + (*p == '"' ? "\"" : "");
}

std::string Explainer::expected() const {
  const std::string name(info_of(form_.datatype).name);
  switch (form_.datatype) {
    case Datatype::Bytes:
      return "a string of well-formed Unicode";
    case Datatype::Bool:
      return "true or false";
    case Datatype::Int64:
    case Datatype::Uint64:
      return "an integer of " + name + ", as a JSON integer or a decimal string";
    default:
      return is_float(form_.datatype) ? "a number that " + name + " can hold" : "an integer of " + name;
  }
}

const char* Explainer::element(const char* p, const std::string& path) {
  scratch_.shrink(0);
  const char* const after = grammar_.skip_value(p, 0, true);
  // An array of one would do for a tensor that is a scalar.
  const bool fits = *p != '[' && read_tensor(one_, begin_, p, after, scratch_) != nullptr;
  return fits ? after : fail(path, "expected " + expected() + ", got " + show(p));
}

const char* Explainer::row(const char* p, const std::string& path) {
  uint64_t index = 0;
  return grammar_.each_element(p, [&](const char* value) { return element(value, at(path, index++)); });
}

const char* Explainer::nested(const char* p, size_t axis, const std::string& path) {
  if (axis == form_.shape.size()) return element(p, path);
  const uint64_t length = form_.shape[axis];
  if (*p != '[') return fail(path, "expected an array of " + std::to_string(length) + ", got " + show(p));
  const uint64_t found = length_of(p);
  if (found != length) {
    return fail(path, "expected " + std::to_string(length) + " values as the shape says, got " + std::to_string(found));
  }
  if (axis + 1 == form_.shape.size()) return row(p, path);
  uint64_t index = 0;
  return grammar_.each_element(p, [&](const char* value) { return nested(value, axis + 1, at(path, index++)); });
}

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text = "[";
  for (const uint64_t dimension : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(dimension);
  return text + "]";
}

}  // namespace

Problem explain_tensor(const TensorForm& form, const char* p, const char* end, const std::string& path) {
  Explainer explainer(form, p, end);
  const char* const first = *p == '[' ? skip_space(p + 1, end) : nullptr;
  if (first == nullptr || *first == '[') {
    explainer.nested(p, 0, path);
  } else if (const uint64_t found = explainer.length_of(p); found != form.count) {
    explainer.fail(path, "expected " + std::to_string(form.count) + " values for shape " + shape_text(form.shape) +
                             ", got " + std::to_string(found));
  } else {
    explainer.row(p, path);
  }
  return explainer.problem;
}

}  // namespace headrace::json
