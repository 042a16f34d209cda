// Frames of WebSocket: which heads are taken, the mask, UTF-8, and codes.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ws_frame.h"

namespace headrace {
namespace {

// In memory of its own that ends with it, for the address sanitizer.
template <typename T>
std::unique_ptr<T[]> copy_of(std::string_view text) {
  auto copy = std::make_unique<T[]>(text.size());
  std::transform(text.begin(), text.end(), copy.get(), [](char c) { return static_cast<T>(c); });
  return copy;
}

Parse parse(const std::string& text, FrameHead& head) {
  uint16_t close_code = 0;
  const auto copy = copy_of<char>(text);
  const Parse parse = parse_frame_head({copy.get(), text.size()}, head, close_code);
  CHECK(close_code == (parse == Parse::bad ? 1002 : 0));
  return parse;
}

std::string big_endian(size_t size, uint64_t value) {
  std::string bytes;
  while (size-- > 0) bytes += static_cast<char>(value >> 8 * size);
  return bytes;
}

std::string masked(unsigned first, unsigned length, const std::string& rest = "") {
  return std::string{static_cast<char>(first), static_cast<char>(0x80 | length)} + rest + "\x01\x02\x03\x04";
}

FrameHead good(const std::string& text) {
  FrameHead head;
  CHECK(parse(text + "payload", head) == Parse::complete);
  for (size_t size = 0; size < text.size(); ++size) {
    FrameHead part;
    CHECK(parse(text.substr(0, size), part) == Parse::incomplete);
  }
  CHECK(head.head_bytes == text.size());
  CHECK(head.mask == XorMask({1, 2, 3, 4}));
  return head;
}

void check_bad(const std::string& text) {
  FrameHead head;
  CHECK(parse(text, head) == Parse::bad);
}

TEST_CASE("a head says what comes") {
  const FrameHead head = good(masked(0x82, 5));
  CHECK(head.fin);
  CHECK(head.opcode == Opcode::binary);
  CHECK(head.payload_bytes == 5);
  CHECK_FALSE(good(masked(0x01, 0)).fin);
  CHECK(good(masked(0x01, 0)).opcode == Opcode::text);
  CHECK(good(masked(0x80, 0)).opcode == Opcode::continuation);
  CHECK(good(masked(0x89, 125)).payload_bytes == 125);
}

TEST_CASE("a length has the shortest of its three forms") {
  CHECK(good(masked(0x82, 125)).payload_bytes == 125);
  CHECK(good(masked(0x82, 126, big_endian(2, 126))).payload_bytes == 126);
  CHECK(good(masked(0x82, 126, big_endian(2, 65535))).payload_bytes == 65535);
  CHECK(good(masked(0x82, 127, big_endian(8, 65536))).payload_bytes == 65536);
  CHECK(good(masked(0x82, 127, big_endian(8, INT64_MAX))).payload_bytes == INT64_MAX);
  check_bad(masked(0x82, 126, big_endian(2, 125)));
  check_bad(masked(0x82, 126, big_endian(2, 0)));
  check_bad(masked(0x82, 127, big_endian(8, 65535)));
  check_bad(masked(0x82, 127, big_endian(8, 0)));
  check_bad(masked(0x82, 127, big_endian(8, uint64_t{1} << 63)));
  check_bad(masked(0x82, 127, big_endian(8, UINT64_MAX)));
}

TEST_CASE("first bytes: no extension, no opcode that is reserved, no control frame in pieces") {
  for (unsigned first = 0; first < 256; ++first) {
    const unsigned opcode = first & 0x0f;
    const bool is_known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    const bool is_good = (first & 0x70) == 0 && is_known && (opcode < 8 || (first & 0x80) != 0);
    FrameHead head;
    CHECK(parse(masked(first, 0), head) == (is_good ? Parse::complete : Parse::bad));
    CHECK(parse(std::string(1, static_cast<char>(first)), head) == (is_good ? Parse::incomplete : Parse::bad));
  }
}

TEST_CASE("a client masks its frames, and its control frames are short") {
  check_bad("\x82\x05");
  check_bad(std::string("\x82\0", 2));
  check_bad("\x82\x7e");
  check_bad("\x89\xfe");
  check_bad("\x88\xff");
}

TEST_CASE("a frame of the server has the shortest head, and no mask") {
  const auto written = [](Opcode opcode, size_t payload) {
    std::array<std::byte, kMaxServerFrameHeadBytes> out{};
    const size_t size = write_frame_head(out.data(), opcode, payload);
    return std::string(reinterpret_cast<const char*>(out.data()), size);
  };
  CHECK(written(Opcode::binary, 0) == std::string("\x82\0", 2));
  CHECK(written(Opcode::text, 125) == "\x81\x7d");
  CHECK(written(Opcode::pong, 5) == "\x8a\x05");
  CHECK(written(Opcode::binary, 126) == "\x82\x7e" + big_endian(2, 126));
  CHECK(written(Opcode::binary, 65535) == "\x82\x7e" + big_endian(2, 65535));
  CHECK(written(Opcode::binary, 65536) == "\x82\x7f" + big_endian(8, 65536));
  CHECK(written(Opcode::binary, size_t{5} << 32) == "\x82\x7f" + big_endian(8, uint64_t{5} << 32));
}

bool is_utf8(const std::string& text) {
  const auto bytes = copy_of<std::byte>(text);
  return headrace::is_utf8(std::span<const std::byte>(bytes.get(), text.size()));
}

std::string utf8_of(uint32_t character) {
  const auto byte = [](uint32_t value) { return std::string(1, static_cast<char>(value)); };
  const auto tail = [&](int shift) { return byte(0x80 | (character >> shift & 0x3f)); };
  if (character < 0x80) return byte(character);
  if (character < 0x800) return byte(0xc0 | character >> 6) + tail(0);
  if (character < 0x10000) return byte(0xe0 | character >> 12) + tail(6) + tail(0);
  return byte(0xf0 | character >> 18) + tail(12) + tail(6) + tail(0);
}

TEST_CASE("every character is UTF-8, and no half of a surrogate pair") {
  size_t wrong = 0;
  for (uint32_t character = 0; character < 0x110100; ++character) {
    const bool is_character = character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
    if (is_utf8(utf8_of(character)) != is_character) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("what is not UTF-8 is found wherever it stands") {
  for (const std::string bad : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe0\x9f\xbf",
                                "\xe2\x82", "\xe2(\xa1", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98",
                                "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff"}) {
    for (size_t before = 0; before < 20; ++before) {
      CHECK_FALSE(is_utf8(std::string(before, 'a') + bad));
      CHECK_FALSE(is_utf8(std::string(before, 'a') + bad + "bcdefghij"));
      CHECK_FALSE(is_utf8("\xc3\xa9" + std::string(before, 'a') + bad + "\xc3\xa9"));
    }
  }
  CHECK(is_utf8(std::string()));
  CHECK(is_utf8(std::string(100, 'a') + "\xf0\x9f\x98\x80" + std::string(100, 'b') + "\xc3\xa9"));
}

TEST_CASE("codes that a close frame may carry") {
  for (const unsigned code : {1000U, 1001U, 1002U, 1003U, 1007U, 1011U, 1012U, 1013U, 1014U, 3000U, 4999U}) {
    CHECK_MESSAGE(is_close_code(code), code);
  }
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 2000U, 2999U, 5000U, 65535U}) {
    CHECK_FALSE_MESSAGE(is_close_code(code), code);
  }
}

}  // namespace
}  // namespace headrace
