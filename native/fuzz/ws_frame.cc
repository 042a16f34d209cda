// Frames of WebSocket, one after the other: heads, masks, and UTF-8 against a decoder that is slow and plain.
#include "ws_frame.h"

#include <array>
#include <cstring>

#include "pieces.h"
#include "property.h"

namespace headrace::fuzz {
namespace {

bool is_utf8_slowly(std::span<const std::byte> bytes) {
  for (size_t i = 0; i < bytes.size();) {
    const unsigned first = std::to_integer<unsigned>(bytes[i++]);
    if (first < 0x80) continue;
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc0 || first >= 0xf8 || bytes.size() - i < static_cast<size_t>(more)) return false;
    uint32_t character = first & (0x3fU >> more);
    for (int j = 0; j < more; ++j) {
      const unsigned next = std::to_integer<unsigned>(bytes[i++]);
      if ((next & 0xc0) != 0x80) return false;
      character = character << 6 | (next & 0x3f);
    }
    constexpr uint32_t kSmallest[] = {0x80, 0x800, 0x10000};
    if (character < kSmallest[more - 1] || character > 0x10ffff) return false;
    if (character >= 0xd800 && character <= 0xdfff) return false;
  }
  return true;
}

void check_payload(std::vector<char> payload, const std::array<uint8_t, 4>& mask) {
  const std::vector<char> before = payload;
  const auto bytes = std::as_writable_bytes(std::span(payload));
  // In two parts, as it may come.
  const size_t cut = bytes.size() * mask[0] / 256;
  XorMask(mask).remove(bytes.data(), cut);
  XorMask(mask).from(cut).remove(bytes.data() + cut, bytes.size() - cut);
  for (size_t i = 0; i < payload.size(); ++i) {
    demand(static_cast<uint8_t>(payload[i] ^ before[i]) == mask[i % 4], "the mask is taken off");
  }
  demand(is_utf8(bytes) == is_utf8_slowly(bytes), "UTF-8 is what it is");
}

// The server's frame with such a payload, masked, is one of a client.
void check_written(Opcode opcode, size_t payload) {
  std::array<std::byte, kMaxFrameHeadBytes> bytes{};
  const size_t size = write_frame_head(bytes.data(), opcode, payload);
  demand(size <= kMaxServerFrameHeadBytes, "room for a head");
  bytes[1] |= std::byte{0x80};
  FrameHead head;
  uint16_t code = 0;
  const std::span text(reinterpret_cast<const char*>(bytes.data()), size + 4);
  demand(parse_frame_head(text, head, code) == Parse::complete, "what is written can be read");
  demand(head.fin && head.opcode == opcode && head.payload_bytes == payload, "what is written is read");
}

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  using namespace headrace::fuzz;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (;;) {
    const std::vector<char> bytes = copy_of(text.substr(0, kMaxFrameHeadBytes));
    FrameHead head;
    uint16_t code = 0;
    const Parse parse = parse_frame_head(bytes, head, code);
    demand((parse == Parse::bad) == (code == 1002), "a code of what is bad only");
    demand(parse != Parse::incomplete || text.size() < kMaxFrameHeadBytes, "a head has its greatest length");
    if (parse != Parse::complete) return 0;
    demand(head.head_bytes <= bytes.size() && head.payload_bytes <= INT64_MAX, "lengths that can be");
    for (size_t part = 0; part < head.head_bytes; ++part) {
      FrameHead other;
      demand(parse_frame_head(std::span(bytes).first(part), other, code) == Parse::incomplete, "a part is incomplete");
    }
    check_written(head.opcode, static_cast<size_t>(head.payload_bytes));
    std::array<uint8_t, XorMask::kBytes> mask;
    std::memcpy(mask.data(), &bytes[head.head_bytes - mask.size()], mask.size());
    demand(head.mask == XorMask(mask), "a head ends with the mask");
    text.remove_prefix(head.head_bytes);
    const size_t came = static_cast<size_t>(std::min<uint64_t>(head.payload_bytes, text.size()));
    check_payload(copy_of(text.substr(0, came)), mask);
    text.remove_prefix(came);
  }
}
