// Numbers of JSON against strtod, which is slow and right.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "decimal.h"
#include "fast_fraction.h"
#include "half.h"

namespace headrace::json {
namespace {

// In memory of its own that ends with it, for the address sanitizer.
std::vector<char> exactly(const std::string& text) { return {text.begin(), text.end()}; }

double read_all(const std::string& text) {
  const std::vector<char> copy = exactly(text);
  const char* const end = copy.data() + copy.size();
  Decimal number;
  REQUIRE_MESSAGE(read_decimal(copy.data(), end, number) == end, text);
  return to_double(number, copy.data(), end);
}

void check_same(const std::string& text, double found) {
  const double expected = std::strtod(text.c_str(), nullptr);
  CHECK_MESSAGE(std::bit_cast<uint64_t>(expected) == std::bit_cast<uint64_t>(found), text);
}

std::string digits(std::mt19937& random, size_t most) {
  std::string text;
  const size_t count = 1 + random() % most;
  for (size_t i = 0; i < count; ++i) text += static_cast<char>('0' + random() % 10);
  return text;
}

std::string any_number(std::mt19937& random) {
  std::string text = random() % 2 == 0 ? "-" : "";
  const std::string whole = digits(random, random() % 8 == 0 ? 25 : 9);
  text += whole.front() == '0' ? "0" : whole;
  if (random() % 4 != 0) text += "." + digits(random, random() % 8 == 0 ? 25 : 11);
  if (random() % 4 == 0) {
    const char* const signs[] = {"", "+", "-"};
    text += (random() % 2 == 0 ? "e" : "E") + std::string(signs[random() % 3]) + std::to_string(random() % 340);
  }
  return text;
}

TEST_CASE("any number is the nearest double") {
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const std::string text = any_number(random);
    check_same(text, read_all(text));
  }
}

TEST_CASE("the shortest and the longest digits of any double are read as that double") {
  std::mt19937_64 random(2);
  for (int i = 0; i < 100'000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    char text[64];
    std::snprintf(text, sizeof text, i % 2 == 0 ? "%.16e" : "%.25e", value);
    check_same(text, read_all(text));
  }
}

TEST_CASE("floats are read from the digits of the doubles that they are") {
  std::mt19937 random(4);
  for (int i = 0; i < 200'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (!std::isfinite(value)) continue;
    char text[128];
    std::snprintf(text, sizeof text, i % 2 == 0 ? "%.17g" : "%.20f", static_cast<double>(value));
    check_same(text, read_all(text));
  }
}

TEST_CASE("halfway between two doubles, and a little beside it") {
  std::mt19937_64 random(6);
  for (int i = 0; i < 50'000; ++i) {
    // 54 bits over a power of two: the decimal text is exact, and ends with the 5 that a tie needs.
    const uint64_t odd = (random() >> 10) | 1 | uint64_t{1} << 53;
    const int shift = 1 + static_cast<int>(random() % 12);
    char text[128];
    std::snprintf(text, sizeof text, "%.*Lf", shift, std::ldexp(static_cast<long double>(odd), -shift));
    check_same(text, read_all(text));
    check_same(std::string(text) + "1", read_all(std::string(text) + "1"));
  }
}

TEST_CASE("what is too large is infinite, what is too small is zero, and the smallest are kept") {
  for (const char* text :
       {"1e309", "-1e400", "1e99999999999", "-123456789012345678901234567890e300", "5e-324", "-3e-324", "1e-400",
        "-0.00001e-400", "2.2250738585072014e-308", "1e-99999999999", "0e999999", "-0", "-0.0",
        "0.000000000000000000000000000000000000000000000000000000001e400", "1.7976931348623157e308"}) {
    check_same(text, read_all(text));
  }
}

TEST_CASE("what is no number in JSON is none here") {
  for (const std::string text : {"", "-", "+1", ".5", "-.5", "01", "-012", "1.", "1.e5", "1e", "1e+", "e5", "abc",
                                 "NaN", "00000000001", "/", ":", "-:", "0x1"}) {
    const std::vector<char> copy = exactly(text);
    const char* const end = copy.data() + copy.size();
    Decimal number;
    const char* const after = read_decimal(copy.data(), end, number);
    CHECK_MESSAGE((after == nullptr || after != end), text);
  }
}

#if HEADRACE_FAST_FRACTION
TEST_CASE("the fast way takes what it says it does, and is right") {
  std::mt19937 random(3);
  int taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text = random() % 2 == 0 ? "-" : "";
    text += static_cast<char>('0' + random() % 10);
    text += "." + digits(random, 16);
    if (random() % 16 == 0) text[random() % text.size()] = static_cast<char>(random());
    const std::string around = std::string(kFastBefore, '7') + text + ",";
    const std::vector<char> copy = exactly(around + std::string(random() % 20, '9'));
    const char* const begin = copy.data() + kFastBefore;
    if (copy.data() + copy.size() - begin < kFastAfter) continue;
    double value = 0;
    const char* const after = fast_fraction(begin, value);
    if (after == nullptr) continue;
    ++taken;
    // It ends at the first comma, whatever was put there.
    const std::string read(begin, after);
    Decimal number;
    CHECK_MESSAGE(read_decimal(begin, after, number) == after, read);
    CHECK(*after == ',');
    check_same(read, value);
  }
  CHECK(taken > 100'000);
}
#endif

TEST_CASE("halves are the nearest ones, ties to even") {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const double low = from_fp16(static_cast<uint16_t>(bits));
    CHECK(to_half(low, kFp16) == bits);
    if (bits == 0x7bff) break;  // the next one is infinite
    const double high = from_fp16(static_cast<uint16_t>(bits + 1));
    const double middle = (low + high) / 2;
    CHECK(to_half(middle, kFp16) == bits + (bits & 1));
    CHECK(to_half(std::nextafter(middle, 0), kFp16) == bits);
    CHECK(to_half(-std::nextafter(middle, 1e9), kFp16) == (0x8000 | (bits + 1)));
  }
  for (uint32_t bits = 0; bits < 0x7f7f; ++bits) {
    const double low = from_bf16(static_cast<uint16_t>(bits));
    const double middle = (low + static_cast<double>(from_bf16(static_cast<uint16_t>(bits + 1)))) / 2;
    CHECK(to_half(low, kBf16) == bits);
    CHECK(to_half(middle, kBf16) == bits + (bits & 1));
  }
  CHECK(to_half(65519.99, kFp16) == 0x7bff);
  CHECK(to_half(65520, kFp16) == kFp16.infinity);
  CHECK(to_half(-0.0, kBf16) == 0x8000);
}

}  // namespace
}  // namespace headrace::json
