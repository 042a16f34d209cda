// FP16 and BF16: rounded to nearest, ties to even, straight from the 64-bit value, since a way through FP32 would round
// twice. The mirror of src/protocol/half.ts.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace headrace::json {

struct HalfFormat {
  int mantissa_bits;
  int bias;
  double overflow;         // at and above this, the nearest value is infinity
  double smallest_normal;  // below this, numbers are subnormal
  uint16_t infinity;
  uint16_t nan;
};

inline constexpr HalfFormat kFp16{10, 15, 65520.0, 0x1p-14, 0x7c00, 0x7e00};
inline constexpr HalfFormat kBf16{7, 127, 0x1.ffp127, 0x1p-126, 0x7f80, 0x7fc0};

// The 16 bits of the nearest value.
inline uint16_t to_half(double value, const HalfFormat& format) {
  if (std::isnan(value)) return format.nan;
  const auto sign = static_cast<uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double magnitude = std::fabs(value);
  if (magnitude >= format.overflow) return sign | format.infinity;
  if (magnitude < format.smallest_normal) {
    // nearbyint rounds ties to even; nobody in this process changes the rounding mode.
    const double units =
        std::nearbyint(magnitude / format.smallest_normal * static_cast<double>(1 << format.mantissa_bits));
    return sign | static_cast<uint16_t>(units);
  }
  const int exponent = std::ilogb(magnitude);
  const auto mantissa = static_cast<int>(std::nearbyint(std::ldexp(magnitude, format.mantissa_bits - exponent)));
  // A mantissa that rounds up to the next power of two carries into the exponent by itself: the bits are adjacent.
  const int bits = ((exponent + format.bias - 1) << format.mantissa_bits) + mantissa;
  return sign | static_cast<uint16_t>(bits);
}

inline float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline float from_fp16(uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int mantissa = bits & 0x3ff;
  float magnitude = 0;
  if (exponent == 0x1f) {
    magnitude = mantissa == 0 ? INFINITY : NAN;
  } else {
    magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                              : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

}  // namespace headrace::json
