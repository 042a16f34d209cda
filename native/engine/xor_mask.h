// The mask that lies on a WebSocket's bytes (RFC 6455, 5.3): taken off on the way to where they are copied anyway.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace headrace {

// Four bytes, again and again; all of them zero where there is no mask.
class XorMask {
 public:
  static constexpr size_t kBytes = 4;

  XorMask() = default;
  explicit XorMask(const std::array<uint8_t, kBytes>& bytes) : twice_(doubled(bytes)) {}

  friend bool operator==(const XorMask&, const XorMask&) = default;
  bool is_none() const { return twice_ == 0; }
  // What lies on the bytes from the `offset`th on.
  XorMask from(size_t offset) const;
  // Copies `size` bytes without the mask. `src` and `dst` may be the same, and must not overlap otherwise.
  void copy(std::byte* dst, const std::byte* src, size_t size) const;
  // Takes it off in place.
  void remove(std::byte* data, size_t size) const { copy(data, data, size); }

 private:
  using Twice = std::array<uint8_t, 2 * kBytes>;

  static uint64_t doubled(const std::array<uint8_t, kBytes>& bytes) {
    return std::bit_cast<uint64_t>(
        Twice{bytes[0], bytes[1], bytes[2], bytes[3], bytes[0], bytes[1], bytes[2], bytes[3]});
  }

  uint64_t twice_ = 0;  // as it lies in memory
};

}  // namespace headrace
