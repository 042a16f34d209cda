// Numbers as the wire wants them.
#pragma once

#include <cstdint>
#include <string>

namespace headrace::bench {

/// The lowest `bytes` bytes of a number, the lowest first.
inline std::string littleEndian(std::uint64_t value, int bytes) {
  std::string text;
  for (int shift = 0; shift < 8 * bytes; shift += 8) text += static_cast<char>(value >> shift & 0xFF);
  return text;
}

}  // namespace headrace::bench
