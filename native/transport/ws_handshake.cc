#include "ws_handshake.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace headrace {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr size_t kBlock = 64;

using Digest = std::array<uint32_t, 5>;

// One block of SHA-1 (FIPS 180-4, 6.1.2).
void add_block(Digest& digest, const std::array<uint8_t, kBlock>& block) {
  std::array<uint32_t, 80> words;
  for (size_t i = 0; i < 16; ++i) {
    words[i] = 0;
    for (size_t j = 0; j < 4; ++j) words[i] = words[i] << 8 | block[4 * i + j];
  }
  for (size_t i = 16; i < 80; ++i) {
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  }
  auto [a, b, c, d, e] = digest;
  const auto step = [&](uint32_t mixed, uint32_t constant, uint32_t word) {
    const uint32_t next = std::rotl(a, 5) + mixed + e + constant + word;
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  };
  for (size_t i = 0; i < 20; ++i) step((b & c) | (~b & d), 0x5a827999, words[i]);
  for (size_t i = 20; i < 40; ++i) step(b ^ c ^ d, 0x6ed9eba1, words[i]);
  for (size_t i = 40; i < 60; ++i) step((b & c) | (b & d) | (c & d), 0x8f1bbcdc, words[i]);
  for (size_t i = 60; i < 80; ++i) step(b ^ c ^ d, 0xca62c1d6, words[i]);
  const std::array<uint32_t, 5> mixed = {a, b, c, d, e};
  for (size_t i = 0; i < digest.size(); ++i) digest[i] += mixed[i];
}

Digest sha1(std::string_view text) {
  Digest digest = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::array<uint8_t, kBlock> block{};
  size_t filled = 0;
  const auto put = [&](uint8_t byte) {
    block[filled++] = byte;
    if (filled < kBlock) return;
    add_block(digest, block);
    filled = 0;
  };
  for (const char c : text) put(static_cast<uint8_t>(c));
  put(0x80);
  while (filled != kBlock - 8) put(0);
  for (int shift = 56; shift >= 0; shift -= 8) put(static_cast<uint8_t>(uint64_t{text.size()} * 8 >> shift));
  return digest;
}

// The 20 bytes of a digest: six groups of three, and one of two.
std::string base64(const Digest& digest) {
  std::array<uint8_t, 21> bytes{};
  for (size_t i = 0; i < 20; ++i) bytes[i] = static_cast<uint8_t>(digest[i / 4] >> (24 - 8 * (i % 4)));
  std::string text;
  text.reserve(28);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned three = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];
    for (int shift = 18; shift >= 0; shift -= 6) text += kBase64[three >> shift & 0x3f];
  }
  text.back() = '=';
  return text;
}

}  // namespace

std::string accept_key(std::string_view key) { return base64(sha1(std::string(key).append(kGuid))); }

bool is_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, [](char c) { return kBase64.find(c) != std::string_view::npos; });
}

}  // namespace headrace
