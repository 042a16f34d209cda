// Numbers of JSON, read eight digits at a time.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace headrace::json {

static_assert(std::endian::native == std::endian::little, "V2's tensors are little-endian, and so is this reader");

// The number `digits` × 10^`exponent`.
struct Decimal {
  uint64_t digits = 0;
  int exponent = 0;
  bool negative = false;
  bool whole = true;  // written without point and exponent
  bool exact = true;  // `digits` has all digits; else there were too many, and only the text itself has them
};

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

inline uint64_t load_eight(const char* p) {
  uint64_t eight = 0;
  std::memcpy(&eight, p, sizeof eight);
  return eight;
}

// How many of eight characters, XORed with '0', come before the first that is no digit.
inline unsigned leading_digits(uint64_t eight) {
  const uint64_t others = ((eight + 0x7676767676767676) | eight) & 0x8080808080808080;
  return others == 0 ? 8 : static_cast<unsigned>(std::countr_zero(others)) / 8;
}

// The value of eight digits 0 to 9, the first in the lowest byte.
inline uint64_t value_of_eight(uint64_t eight) {
  const uint64_t pairs = eight * 10 + (eight >> 8);
  const uint64_t odd = (pairs & 0x000000FF000000FF) * 0x000F424000000064;
  const uint64_t even = ((pairs >> 16) & 0x000000FF000000FF) * 0x0000271000000001;
  return (odd + even) >> 32;
}

// Reads digits from `p` on and appends them to `value`, which wraps after 19 of them. Returns their end.
inline const char* read_digits(const char* p, const char* end, uint64_t& value) {
  constexpr uint64_t kPowers[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  while (end - p >= 8) {
    const uint64_t eight = load_eight(p) ^ 0x3030303030303030;
    const unsigned count = leading_digits(eight);
    if (count == 0) return p;
    value = value * kPowers[count] + value_of_eight(eight << (64 - 8 * count));
    p += count;
    if (count < 8) return p;
  }
  for (; p != end && is_digit(*p); ++p) value = value * 10 + static_cast<uint64_t>(*p - '0');
  return p;
}

// Reads the number at `p`. Returns its end, or null where there is none as JSON has it.
const char* read_decimal(const char* p, const char* end, Decimal& number);

// The double nearest to the number that the text is: infinity where it is too large, zero where it is too small.
double double_of_text(const Decimal& number, const char* begin, const char* end);

// The same, for any number that was read from the text `begin` to `end`.
inline double to_double(const Decimal& number, const char* begin, const char* end) {
  // Both operands are exact doubles, so the one operation rounds once and correctly (Clinger, 1990).
  constexpr int kMostPower = 22;
  constexpr uint64_t kMostInteger = uint64_t{1} << 53;
  constexpr double kPowers[kMostPower + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const int exponent = number.exponent;
  if (!number.exact || number.digits > kMostInteger || exponent < -kMostPower || exponent > kMostPower) {
    return double_of_text(number, begin, end);
  }
  const auto digits = static_cast<double>(static_cast<int64_t>(number.digits));
  const double magnitude = exponent < 0 ? digits / kPowers[-exponent] : digits * kPowers[exponent];
  // Without a branch: signs come as they like.
  return std::bit_cast<double>(std::bit_cast<uint64_t>(magnitude) | static_cast<uint64_t>(number.negative) << 63);
}

}  // namespace headrace::json
