#include "grammar.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "decimal.h"
#include "text.h"

namespace headrace::json {
namespace {

constexpr const char* kTooDeep = "at most 64 levels";
constexpr const char* kUtf8 = "UTF-8";

bool starts_with(const char* p, const char* end, std::string_view word) {
  return std::string_view(p, static_cast<size_t>(end - p)).starts_with(word);
}

std::string found_at(const char* p, const char* end) {
  if (p == end) return "the end";
  const int length = (*p & 0x80) != 0 ? utf8_length(p, end) : 1;
  if (length == 0 || static_cast<unsigned char>(*p) < 0x20) return "byte " + std::to_string(static_cast<uint8_t>(*p));
  std::string shown(1, '\'');
  return shown.append(p, static_cast<size_t>(length)).append(1, '\'');
}

}  // namespace

const char* skip_nonfinite(const char* p, const char* end, double& value) {
  const bool negative = p != end && *p == '-';
  if (negative) ++p;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double sign = negative ? -1 : 1;
  if (starts_with(p, end, "NaN")) {
    value = std::numeric_limits<double>::quiet_NaN();
    return p + 3;
  }
  if (!starts_with(p, end, "Inf")) return nullptr;
  value = sign * kInfinity;
  return starts_with(p, end, "Infinity") ? p + 8 : p + 3;
}

const char* Grammar::space(const char* p) const { return skip_space(p, end_); }

std::nullptr_t Grammar::fail(const char* at, const char* expected) {
  failed_at_ = at;
  expected_ = expected;
  return nullptr;
}

const char* Grammar::skip_text(const char* p) {
  const char* wrong = nullptr;
  const char* const after = skip_string(p, end_, wrong);
  if (after != nullptr) return after;
  const bool is_beyond_ascii = wrong != end_ && (*wrong & 0x80) != 0;
  return fail(wrong, is_beyond_ascii ? kUtf8 : "the rest of a string");
}

const char* Grammar::skip_word(const char* p, const char* word) {
  if (starts_with(p, end_, word)) return p + std::strlen(word);
  return fail(p, "a value");
}

const char* Grammar::skip_value(const char* p, int depth, bool nonfinite) {
  if (p == end_) return fail(p, "a value");
  if (depth >= kMaxDepth && (*p == '{' || *p == '[')) return fail(p, kTooDeep);
  switch (*p) {
    case '{':
      return each_member(
          p, [&](const char*, const char*, const char* value) { return skip_value(value, depth + 1, nonfinite); });
    case '[':
      return each_element(p, [&](const char* value) { return skip_value(value, depth + 1, nonfinite); });
    case '"':
      return skip_text(p);
    case 't':
      return skip_word(p, "true");
    case 'f':
      return skip_word(p, "false");
    case 'n':
      return skip_word(p, "null");
    default:
      break;
  }
  Decimal number;
  double value = 0;
  const char* after = read_decimal(p, end_, number);
  if (after == nullptr && nonfinite) after = skip_nonfinite(p, end_, value);
  return after != nullptr ? after : fail(p, "a value");
}

std::optional<Problem> Grammar::problem() const {
  if (expected_ == nullptr) return std::nullopt;
  const std::string at = "byte " + std::to_string(failed_at_ - begin_);
  if (expected_ == kTooDeep) return Problem{"", "nested deeper than 64, at " + at};
  if (expected_ == kUtf8) return Problem{"", "not UTF-8, at " + at};
  return Problem{
      "", std::string("not JSON: expected ") + expected_ + " at " + at + ", found " + found_at(failed_at_, end_)};
}

}  // namespace headrace::json
