// gzip (RFC 1952) and zlib data (RFC 1950), inflated whole by zlib: in the addon by the one that Node brings.
//
// Node's own module hands every piece to JavaScript. Tens of megabytes of them make V8 collect garbage, which takes
// longer than inflating and stops the thread that serves everybody. Here JavaScript gets what is whole and allowed, and
// nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace headrace {

enum class Packing : uint8_t { Gzip, Zlib };

struct Inflated {
  // The mirror of InflateOutcome in src/engine/surface.ts.
  enum class Outcome : uint8_t { Whole, TooLarge, Broken, Followed };

  Outcome outcome;
  std::unique_ptr<std::byte[]> bytes;  // Whole; there may be room behind them
  size_t size = 0;                     // Whole
  size_t left_over = 0;                // Followed: how many bytes are behind the end
  std::string reason;                  // Broken: zlib's words
};

// Members of gzip in a row are one. No more memory than for `limit`, the most bytes that may come out, is taken. Throws
// Error(ResourceExhausted) where there is none.
Inflated inflate_whole(std::span<const std::byte> packed, Packing packing, size_t limit);

}  // namespace headrace
