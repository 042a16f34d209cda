// One element of a tensor: from its JSON to its bytes. Whether it fits its datatype is the same question for all
// readers.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <type_traits>

#include "datatype.h"
#include "decimal.h"
#include "half.h"

namespace headrace::json {

template <typename T>
void store(std::byte* out, T value) {
  std::memcpy(out, &value, sizeof value);
}

// What is no number but may stand for an element: true and false, NaN and the infinities as tokens or strings, 64-bit
// integers as decimal strings. Its end, or null.
const char* read_word(Datatype datatype, const char* p, const char* end, std::byte* out);

// The number as an integer of T, which it must be exactly.
template <typename T>
bool to_integer(const Decimal& number, const char* begin, const char* end, T& out) {
  uint64_t magnitude = number.digits;
  if (!number.whole) {
    // Written with a point or an exponent: an integer as far as doubles tell integers apart.
    const double value = std::fabs(to_double(number, begin, end));
    if (value != std::trunc(value) || value > 0x1.fffffffffffffp52) return false;
    magnitude = static_cast<uint64_t>(value);
  } else if (!number.exact) {
    const char* const first = begin + (number.negative ? 1 : 0);
    if (std::from_chars(first, end, magnitude).ec != std::errc{}) return false;
  }
  auto limit = static_cast<uint64_t>(std::numeric_limits<T>::max());
  if (number.negative) limit = std::is_signed_v<T> ? limit + 1 : 0;
  if (magnitude > limit) return false;
  out = static_cast<T>(number.negative ? 0 - magnitude : magnitude);
  return true;
}

template <Datatype D>
struct IntegerOf;
template <>
struct IntegerOf<Datatype::Uint8> : std::type_identity<uint8_t> {};
template <>
struct IntegerOf<Datatype::Uint16> : std::type_identity<uint16_t> {};
template <>
struct IntegerOf<Datatype::Uint32> : std::type_identity<uint32_t> {};
template <>
struct IntegerOf<Datatype::Uint64> : std::type_identity<uint64_t> {};
template <>
struct IntegerOf<Datatype::Int8> : std::type_identity<int8_t> {};
template <>
struct IntegerOf<Datatype::Int16> : std::type_identity<int16_t> {};
template <>
struct IntegerOf<Datatype::Int32> : std::type_identity<int32_t> {};
template <>
struct IntegerOf<Datatype::Int64> : std::type_identity<int64_t> {};

// Stores a double; NaN and the infinities only where they were meant.
template <Datatype D>
bool store_double(double value, std::byte* out) {
  if constexpr (D == Datatype::Fp64) {
    store(out, value);
    return !std::isinf(value);
  } else if constexpr (D == Datatype::Fp32) {
    const auto nearest = static_cast<float>(value);
    store(out, nearest);
    return !std::isinf(nearest);
  } else {
    const HalfFormat& format = D == Datatype::Fp16 ? kFp16 : kBf16;
    store(out, to_half(value, format));
    return std::fabs(value) < format.overflow;
  }
}

constexpr bool is_float(Datatype datatype) {
  return datatype == Datatype::Fp16 || datatype == Datatype::Fp32 || datatype == Datatype::Fp64 ||
         datatype == Datatype::Bf16;
}

// Stores the number with the text `begin` to `end`, or says that it does not fit: a finite one that would become
// infinite would be another value than was sent.
template <Datatype D>
bool store_number(const Decimal& number, const char* begin, const char* end, std::byte* out) {
  if constexpr (is_float(D)) {
    return store_double<D>(to_double(number, begin, end), out);
  } else if constexpr (D == Datatype::Bool) {
    const double value = to_double(number, begin, end);
    store(out, static_cast<uint8_t>(value == 1 ? 1 : 0));
    return value == 0 || value == 1;
  } else {
    typename IntegerOf<D>::type value = 0;
    const bool fits = to_integer(number, begin, end, value);
    store(out, value);
    return fits;
  }
}

// Reads the element at `p`, which is no string of BYTES. Its end, or null where it is none of that datatype.
template <Datatype D>
const char* read_element(const char* p, const char* end, std::byte* out) {
  Decimal number;
  const char* const after = read_decimal(p, end, number);
  if (after == nullptr) return read_word(D, p, end, out);
  return store_number<D>(number, p, after, out) ? after : nullptr;
}

// Calls `run.template operator()<D>()` for the datatype, which is not BYTES.
template <typename Run>
auto with_datatype(Datatype datatype, Run&& run) {
  switch (datatype) {
    case Datatype::Bool:
      return run.template operator()<Datatype::Bool>();
    case Datatype::Uint8:
      return run.template operator()<Datatype::Uint8>();
    case Datatype::Uint16:
      return run.template operator()<Datatype::Uint16>();
    case Datatype::Uint32:
      return run.template operator()<Datatype::Uint32>();
    case Datatype::Uint64:
      return run.template operator()<Datatype::Uint64>();
    case Datatype::Int8:
      return run.template operator()<Datatype::Int8>();
    case Datatype::Int16:
      return run.template operator()<Datatype::Int16>();
    case Datatype::Int32:
      return run.template operator()<Datatype::Int32>();
    case Datatype::Int64:
      return run.template operator()<Datatype::Int64>();
    case Datatype::Fp16:
      return run.template operator()<Datatype::Fp16>();
    case Datatype::Fp64:
      return run.template operator()<Datatype::Fp64>();
    case Datatype::Bf16:
      return run.template operator()<Datatype::Bf16>();
    case Datatype::Fp32:
    case Datatype::Bytes:
      break;
  }
  return run.template operator()<Datatype::Fp32>();
}

}  // namespace headrace::json
