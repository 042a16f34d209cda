#include "decimal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace headrace::json {
namespace {

// So many digits fit 64 bits whatever they are.
constexpr int kExactDigits = 19;
// More than any double's, and far from overflowing an int.
constexpr int kMostExponent = 100'000;

bool is_other_digit(char c) { return c != '0' && c != '.'; }

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

#if defined(__SIZEOF_INT128__)

// Powers of five below 2^63.
constexpr int kMostFives = 27;

constexpr auto kFives = [] {
  std::array<uint64_t, kMostFives + 1> powers{};
  powers[0] = 1;
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 5;
  return powers;
}();

// `digits` / 10^`power`, rounded once: the quotient to more bits than a double has, the remainder as its last one. So
// come the 17 digits that programs write which make doubles of their floats. `digits` is not 0, `power` from 1 to
// kMostFives.
double quotient(uint64_t digits, int power) {
  const uint64_t fives = kFives[static_cast<size_t>(power)];
  const int of_digits = std::countl_zero(digits);
  const int of_fives = std::countl_zero(fives);
  const uint64_t divisor = fives << of_fives;
  const auto dividend = static_cast<unsigned __int128>(digits << of_digits) << 62;
  // At least 2^61, since both were shifted to their highest bit, and below 2^63.
  const auto result = static_cast<uint64_t>(dividend / divisor);
  const auto rest = static_cast<uint64_t>(dividend) - result * divisor;
  const auto rounded = static_cast<double>(static_cast<int64_t>(result | (rest != 0 ? 1 : 0)));
  const int exponent = of_fives - of_digits - power - 62;
  return rounded * std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52);
}

#endif

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
  // Zeros in front count for nothing.
  if (count > kExactDigits && *first == '0') count -= std::find_if(first, p, is_other_digit) - first - 1;
  number.exact = count <= kExactDigits;
  if (p == end || (*p != 'e' && *p != 'E')) return p;
  number.whole = false;
  return read_exponent(p + 1, end, number.exponent);
}

double double_of_text(const Decimal& number, const char* begin, const char* end) {
#if defined(__SIZEOF_INT128__)
  if (number.exact && number.digits != 0 && number.exponent < 0 && number.exponent >= -kMostFives) {
    const double magnitude = quotient(number.digits, -number.exponent);
    return number.negative ? -magnitude : magnitude;
  }
#endif
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
