#include "ws_frame.h"

#include <array>
#include <cstring>

namespace headrace {
namespace {

constexpr unsigned kFin = 0x80;
constexpr unsigned kReserved = 0x70;
constexpr unsigned kMasked = 0x80;
constexpr unsigned kTwoBytes = 126;    // the length follows in two bytes
constexpr unsigned kEightBytes = 127;  // in eight

bool is_opcode(unsigned opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

uint64_t read_big_endian(const char* p, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(p[i]);
  return value;
}

void write_big_endian(std::byte* p, size_t size, uint64_t value) {
  for (size_t i = 0; i < size; ++i) p[i] = static_cast<std::byte>(value >> 8 * (size - 1 - i));
}

// The number of bytes of the UTF-8 sequence at `p`, which is not ASCII, or 0 where it is none (RFC 3629, 4).
size_t sequence_length(const uint8_t* p, const uint8_t* end) {
  const auto is_next = [&](size_t i, uint8_t low = 0x80, uint8_t high = 0xbf) {
    return static_cast<size_t>(end - p) > i && p[i] >= low && p[i] <= high;
  };
  const uint8_t first = *p;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return is_next(1) ? 2 : 0;
  if (first < 0xf0) {
    const uint8_t low = first == 0xe0 ? 0xa0 : 0x80;   // no overlong form
    const uint8_t high = first == 0xed ? 0x9f : 0xbf;  // no half of a surrogate pair
    return is_next(1, low, high) && is_next(2) ? 3 : 0;
  }
  if (first > 0xf4) return 0;
  const uint8_t low = first == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xf4 ? 0x8f : 0xbf;  // nothing beyond U+10FFFF
  return is_next(1, low, high) && is_next(2) && is_next(3) ? 4 : 0;
}

}  // namespace

Parse parse_frame_head(std::span<const char> bytes, FrameHead& head, uint16_t& close_code) {
  const auto refuse = [&] {
    close_code = 1002;
    return Parse::bad;
  };
  if (bytes.empty()) return Parse::incomplete;
  const unsigned first = static_cast<uint8_t>(bytes[0]);
  if ((first & kReserved) != 0 || !is_opcode(first & 0x0f)) return refuse();
  head.fin = (first & kFin) != 0;
  head.opcode = static_cast<Opcode>(first & 0x0f);
  if (is_control(head.opcode) && !head.fin) return refuse();
  if (bytes.size() == 1) return Parse::incomplete;

  const unsigned second = static_cast<uint8_t>(bytes[1]);
  if ((second & kMasked) == 0) return refuse();
  const unsigned length = second & 0x7f;
  if (is_control(head.opcode) && length > kMaxControlBytes) return refuse();
  const size_t length_bytes = length == kEightBytes ? 8 : length == kTwoBytes ? 2 : 0;
  if (bytes.size() < 2 + length_bytes) return Parse::incomplete;
  head.payload_bytes = length_bytes == 0 ? length : read_big_endian(&bytes[2], length_bytes);
  if (length_bytes == 2 && head.payload_bytes < kTwoBytes) return refuse();
  if (length_bytes == 8 && (head.payload_bytes <= UINT16_MAX || head.payload_bytes > INT64_MAX)) return refuse();

  head.head_bytes = 2 + length_bytes + XorMask::kBytes;
  if (bytes.size() < head.head_bytes) return Parse::incomplete;
  std::array<uint8_t, XorMask::kBytes> mask;
  std::memcpy(mask.data(), &bytes[2 + length_bytes], mask.size());
  head.mask = XorMask(mask);
  return Parse::complete;
}

size_t write_frame_head(std::byte* out, Opcode opcode, size_t payload) {
  out[0] = static_cast<std::byte>(kFin | static_cast<unsigned>(opcode));
  if (payload < kTwoBytes) {
    out[1] = static_cast<std::byte>(payload);
    return 2;
  }
  const size_t length_bytes = payload <= UINT16_MAX ? 2 : 8;
  out[1] = static_cast<std::byte>(length_bytes == 2 ? kTwoBytes : kEightBytes);
  write_big_endian(out + 2, length_bytes, payload);
  return 2 + length_bytes;
}

bool is_utf8(std::span<const std::byte> bytes) {
  const uint8_t* p = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint8_t* const end = p + bytes.size();
  while (p != end) {
    if (*p < 0x80) {
      for (uint64_t eight = 0; end - p >= 8; p += 8) {
        std::memcpy(&eight, p, 8);
        if ((eight & 0x8080808080808080) != 0) break;
      }
      while (p != end && *p < 0x80) ++p;
      continue;
    }
    const size_t length = sequence_length(p, end);
    if (length == 0) return false;
    p += length;
  }
  return true;
}

bool is_close_code(unsigned code) {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace headrace
