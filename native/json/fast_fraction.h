// The commonest number of a tensor: one digit, a point, and up to 14 digits more, as -0.0416283, and a comma after it.
// Read without a loop and without a branch that depends on its digits, at about half of what read_decimal takes. SSE2,
// which every x86-64 has; elsewhere read_decimal does all of the work.
#pragma once

#include <cstdint>

#include "decimal.h"

#if defined(__SSE2__) && defined(__x86_64__)
#define HEADRACE_FAST_FRACTION 1
#include <emmintrin.h>
#else
#define HEADRACE_FAST_FRACTION 0
#endif

namespace headrace::json {

#if HEADRACE_FAST_FRACTION

// Bytes that must be readable before and after the start of a number for `fast_fraction` to look at it.
inline constexpr std::ptrdiff_t kFastBefore = 16;
inline constexpr std::ptrdiff_t kFastAfter = 16;

namespace fast {

inline __m128i load(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }

inline unsigned where(__m128i matches) { return static_cast<unsigned>(_mm_movemask_epi8(matches)); }

// All bits of the last `count` bytes of 16.
inline __m128i last_bytes(unsigned count) {
  static constexpr uint8_t kWindow[32] = {0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
                                          0,    0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  return load(kWindow + count);
}

// The value of 16 digits 0 to 9, the first in the lowest byte.
inline uint64_t value_of_sixteen(__m128i digits) {
  const __m128i tens = _mm_mullo_epi16(_mm_and_si128(digits, _mm_set1_epi16(0xff)), _mm_set1_epi16(10));
  const __m128i pairs = _mm_add_epi16(tens, _mm_srli_epi16(digits, 8));
  const __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
  const __m128i eights = _mm_madd_epi16(_mm_packs_epi32(fours, fours), _mm_set1_epi32(1 << 16 | 10000));
  const auto both = static_cast<uint64_t>(_mm_cvtsi128_si64(eights));
  return (both & 0xffffffff) * 100000000 + (both >> 32);
}

inline constexpr unsigned kMostDigits = 14;  // after the point

inline constexpr int64_t kPowers[kMostDigits + 1] = {
    1,         10,         100,         1000,         10000,         100000,         1000000,        10000000,
    100000000, 1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000};

// To divide by: with a minus for a number that has one, which makes a zero negative too.
inline constexpr double kDivisors[2][kMostDigits + 1] = {
    {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14},
    {-1e0, -1e1, -1e2, -1e3, -1e4, -1e5, -1e6, -1e7, -1e8, -1e9, -1e10, -1e11, -1e12, -1e13, -1e14}};

}  // namespace fast

// Reads such a number at `p`. Returns the comma, or null where it is another one.
inline const char* fast_fraction(const char* p, double& value) {
  const unsigned commas = fast::where(_mm_cmpeq_epi8(fast::load(p), _mm_set1_epi8(',')));
  if (commas == 0) return nullptr;
  const auto length = static_cast<unsigned>(std::countr_zero(commas));
  const unsigned minus = *p == '-' ? 1 : 0;
  const unsigned count = length - minus - 2;  // wraps for what is too short
  const unsigned whole = static_cast<unsigned char>(p[minus]) - static_cast<unsigned>('0');
  if (count - 1 >= fast::kMostDigits || whole > 9 || p[minus + 1] != '.') return nullptr;
  // The 16 bytes before the comma, those before the point's digits set to 0.
  const __m128i text = _mm_sub_epi8(fast::load(p + length - 16), _mm_set1_epi8('0'));
  const __m128i digits = _mm_and_si128(text, fast::last_bytes(count));
  if (fast::where(_mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits)) != 0xffff) return nullptr;
  // Below 10^15, so both operands are exact and the division rounds once, as in to_double.
  const auto all =
      static_cast<int64_t>(fast::value_of_sixteen(digits)) + static_cast<int64_t>(whole) * fast::kPowers[count];
  value = static_cast<double>(all) / fast::kDivisors[minus][count];
  return p + length;
}

#endif

}  // namespace headrace::json
