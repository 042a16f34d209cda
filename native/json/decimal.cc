#include "decimal.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace headrace::json {
namespace {

// So many digits fit 64 bits whatever they are.
constexpr int kExactDigits = 19;
// More than any double's, and far from overflowing an int.
constexpr int kMostExponent = 100'000;

const char* read_exponent(const char* p, const char* end, int& exponent) {
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  const char* const first = p;
  int value = 0;
  for (; p != end && is_digit(*p); ++p) value = std::min(value * 10 + (*p - '0'), kMostExponent);
  if (p == first) return nullptr;
  exponent += negative ? -value : value;
  return p;
}

// Where from_chars says "out of range", which of the two ends it was: the position of the first digit that counts
// decides.
bool is_too_large(const char* p, const char* end, int exponent) {
  int64_t position = 0;  // of the first digit that is not 0, relative to the point
  bool after_point = false;
  bool found = false;
  for (; p != end && *p != 'e' && *p != 'E'; ++p) {
    if (*p == '.') {
      after_point = true;
    } else if (is_digit(*p)) {
      found = found || *p != '0';
      if (found && !after_point) ++position;
      if (!found && after_point) --position;
    }
  }
  return position + exponent > 0;
}

}  // namespace

const char* read_decimal(const char* p, const char* end, Decimal& number) {
  number = Decimal{};
  if (p != end && *p == '-') {
    number.negative = true;
    ++p;
  }
  const char* const first = p;
  p = read_digits(p, end, number.digits);
  if (p == first || (*first == '0' && p - first > 1)) return nullptr;
  auto count = p - first;
  if (p != end && *p == '.') {
    const char* const fraction = p + 1;
    p = read_digits(fraction, end, number.digits);
    if (p == fraction) return nullptr;
    number.whole = false;
    count += p - fraction;
    // A text of 2^31 characters is larger than any body may be; its number would be read from the text in any case.
    number.exponent = static_cast<int>(std::max<std::ptrdiff_t>(fraction - p, -kMostExponent));
  }
  number.exact = count <= kExactDigits;
  if (p == end || (*p != 'e' && *p != 'E')) return p;
  number.whole = false;
  return read_exponent(p + 1, end, number.exponent);
}

double double_of_text(const Decimal& number, const char* begin, const char* end) {
  double value = 0;
  const auto [rest, error] = std::from_chars(begin, end, value);
  if (error == std::errc{}) return value;
  const char* const mark = std::find_if(begin, end, [](char c) { return c == 'e' || c == 'E'; });
  int exponent = 0;
  if (mark != end) read_exponent(mark + 1, end, exponent);
  const double magnitude = is_too_large(begin, end, exponent) ? std::numeric_limits<double>::infinity() : 0.0;
  return number.negative ? -magnitude : magnitude;
}

}  // namespace headrace::json
