#include "text.h"

#include <cstdint>
#include <cstring>

#include "decimal.h"

namespace headrace::json {
namespace {

constexpr uint64_t kEach = 0x0101010101010101;
constexpr uint64_t kHighBits = 0x8080808080808080;

// The high bit of each byte below `limit`, which is at most 128, and perhaps of bytes after such a one.
constexpr uint64_t below(uint64_t eight, uint8_t limit) { return (eight - kEach * limit) & ~eight & kHighBits; }

constexpr uint64_t equal(uint64_t eight, char c) { return below(eight ^ kEach * static_cast<uint8_t>(c), 1); }

// Past what is neither quote nor backslash nor control character nor beyond ASCII.
const char* skip_plain(const char* p, const char* end) {
  while (end - p >= 8) {
    const uint64_t eight = load_eight(p);
    const uint64_t special = below(eight, 0x20) | equal(eight, '"') | equal(eight, '\\') | (eight & kHighBits);
    if (special != 0) return p + std::countr_zero(special) / 8;
    p += 8;
  }
  while (p != end && static_cast<signed char>(*p) >= 0x20 && *p != '"' && *p != '\\') ++p;
  return p;
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The value of the four hexadecimal digits at `p`, or -1.
int hex_four(const char* p, const char* end) {
  if (end - p < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_value(p[i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

constexpr std::string_view kEscapes = "\"\\/bfnrt";
constexpr std::string_view kEscaped = "\"\\/\b\f\n\r\t";

// Past the escape whose backslash is at `p`, or null.
const char* skip_escape(const char* p, const char* end) {
  if (end - p < 2) return nullptr;
  if (p[1] == 'u') return hex_four(p + 2, end) < 0 ? nullptr : p + 6;
  return kEscapes.find(p[1]) == std::string_view::npos ? nullptr : p + 2;
}

char* write_utf8(uint32_t character, char* out) {
  const auto put = [&](uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xc0 | character >> 6);
    put(0x80 | (character & 0x3f));
  } else {
    if (character < 0x10000) {
      put(0xe0 | character >> 12);
    } else {
      put(0xf0 | character >> 18);
      put(0x80 | (character >> 12 & 0x3f));
    }
    put(0x80 | (character >> 6 & 0x3f));
    put(0x80 | (character & 0x3f));
  }
  return out;
}

// Writes what the escape at `p` stands for and moves `p` past it. Null for half a surrogate pair.
char* write_escape(const char*& p, const char* end, char* out) {
  if (p[1] != 'u') {
    *out = kEscaped[kEscapes.find(p[1])];
    p += 2;
    return out + 1;
  }
  auto character = static_cast<uint32_t>(hex_four(p + 2, end));
  p += 6;
  if (character >= 0xd800 && character < 0xe000) {
    const int second = end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex_four(p + 2, end) : -1;
    if (character >= 0xdc00 || second < 0xdc00 || second >= 0xe000) return nullptr;
    character = 0x10000 + ((character - 0xd800) << 10) + (static_cast<uint32_t>(second) - 0xdc00);
    p += 6;
  }
  return write_utf8(character, out);
}

}  // namespace

int utf8_length(const char* p, const char* end) {
  const auto byte = [&](int at) { return static_cast<uint8_t>(p[at]); };
  const auto follows = [&](int at) { return end - p > at && (byte(at) & 0xc0) == 0x80; };
  const uint8_t first = byte(0);
  if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    if (!follows(1) || !follows(2)) return 0;
    // Neither longer than it has to be nor half a surrogate pair.
    return (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) ? 0 : 3;
  }
  if (first >= 0xf0 && first < 0xf5) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    return (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90) ? 0 : 4;
  }
  return 0;
}

const char* skip_string(const char* p, const char* end, const char*& wrong) {
  ++p;
  for (;;) {
    p = skip_plain(p, end);
    wrong = p;
    if (p == end) return nullptr;
    if (*p == '"') return p + 1;
    if (*p == '\\') {
      p = skip_escape(p, end);
      if (p == nullptr) return nullptr;
    } else {
      const int length = (*p & 0x80) != 0 ? utf8_length(p, end) : 0;
      if (length == 0) return nullptr;
      p += length;
    }
  }
}

char* write_text(const char* begin, const char* end, char* out) {
  const char* p = begin + 1;
  const char* const last = end - 1;
  while (p != last) {
    const void* const backslash = std::memchr(p, '\\', static_cast<size_t>(last - p));
    const char* const plain_end = backslash == nullptr ? last : static_cast<const char*>(backslash);
    std::memcpy(out, p, static_cast<size_t>(plain_end - p));
    out += plain_end - p;
    p = plain_end;
    if (p == last) break;
    out = write_escape(p, last, out);
    if (out == nullptr) return nullptr;
  }
  return out;
}

std::string text_of(const char* begin, const char* end) {
  std::string text(static_cast<size_t>(end - begin), '\0');
  const char* const last = write_text(begin, end, text.data());
  text.resize(last == nullptr ? 0 : static_cast<size_t>(last - text.data()));
  return text;
}

bool is_utf8(std::string_view bytes) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (p != end) {
    const int length = (*p & 0x80) != 0 ? utf8_length(p, end) : 1;
    if (length == 0) return false;
    p += length;
  }
  return true;
}

}  // namespace headrace::json
