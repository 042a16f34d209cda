// Frames of WebSocket (RFC 6455, 5), as a server reads and writes them: without extensions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "parse.h"
#include "xor_mask.h"

namespace headrace {

enum class Opcode : uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

inline constexpr bool is_control(Opcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

inline constexpr size_t kMaxControlBytes = 125;
inline constexpr size_t kMaxFrameHeadBytes = 14;        // of a client's frame, with the mask
inline constexpr size_t kMaxServerFrameHeadBytes = 10;  // of one that `write_frame_head` writes

struct FrameHead {
  bool fin = false;
  Opcode opcode = Opcode::continuation;
  size_t head_bytes = 0;
  uint64_t payload_bytes = 0;  // below 2^63, otherwise whatever the client says
  XorMask mask;
};

// Reads the head of a client's frame at the beginning of `bytes`. A bad one is to be answered with `close_code`.
// Whether its opcode goes with the frame before is for the caller to know.
Parse parse_frame_head(std::span<const char> bytes, FrameHead& head, uint16_t& close_code);

// Writes the head of a whole message in one frame; its length. `out` has room for kMaxServerFrameHeadBytes.
size_t write_frame_head(std::byte* out, Opcode opcode, size_t payload);

// Whether the bytes are UTF-8 from end to end.
bool is_utf8(std::span<const std::byte> bytes);

// Whether a close frame may carry the code.
bool is_close_code(unsigned code);

}  // namespace headrace
