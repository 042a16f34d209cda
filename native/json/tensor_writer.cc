#include "tensor_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "elements.h"
#include "half.h"
#include "text.h"

namespace headrace::json {
namespace {

char* write_word(std::string_view word, char* out) { return std::copy(word.begin(), word.end(), out); }

// As much room as DatatypeInfo says there is at least.
constexpr size_t kMostCharacters = 25;

template <typename T>
char* write_number(T value, char* out) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(value)) return write_word("NaN", out);
    if (std::isinf(value)) return write_word(value < 0 ? "-Infinity" : "Infinity", out);
    // "-0" would be read as an integer, which has no sign left.
    if (value == 0 && std::signbit(value)) return write_word("-0.0", out);
  }
  return std::to_chars(out, out + kMostCharacters, value).ptr;
}

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <Datatype D>
char* write_element(const std::byte* bytes, char* out) {
  if constexpr (D == Datatype::Bool) {
    return write_word(load<uint8_t>(bytes) != 0 ? "true" : "false", out);
  } else if constexpr (D == Datatype::Fp16) {
    return write_number(from_fp16(load<uint16_t>(bytes)), out);
  } else if constexpr (D == Datatype::Bf16) {
    return write_number(from_bf16(load<uint16_t>(bytes)), out);
  } else if constexpr (D == Datatype::Fp32) {
    return write_number(load<float>(bytes), out);
  } else if constexpr (D == Datatype::Fp64) {
    return write_number(load<double>(bytes), out);
  } else {
    return write_number(load<typename IntegerOf<D>::type>(bytes), out);
  }
}

}  // namespace

char* write_tensor(Datatype datatype, const std::byte* bytes, size_t count, char* out) {
  return with_datatype(datatype, [&]<Datatype D>() {
    *out++ = '[';
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) *out++ = ',';
      out = write_element<D>(bytes + i * info_of(D).bytes, out);
    }
    *out++ = ']';
    return out;
  });
}

char* write_string(std::string_view bytes, char* out) {
  if (!is_utf8(bytes)) return nullptr;
  constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t";
  constexpr std::string_view kEscapes = "\"\\bfnrt";
  constexpr std::string_view kHex = "0123456789abcdef";
  *out++ = '"';
  for (const char c : bytes) {
    if (const size_t special = kSpecial.find(c); special != std::string_view::npos) {
      *out++ = '\\';
      *out++ = kEscapes[special];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out = write_word("\\u00", out);
      *out++ = kHex[static_cast<unsigned char>(c) >> 4];
      *out++ = kHex[c & 0xf];
    } else {
      *out++ = c;
    }
  }
  *out++ = '"';
  return out;
}

}  // namespace headrace::json
