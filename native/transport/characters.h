// Classes of characters in HTTP, and the search for the end of a text.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace headrace {

using CharacterTable = std::array<char, 256>;

inline char look_up(const CharacterTable& table, char c) { return table[static_cast<unsigned char>(c)]; }

// The lower case of each character that a token may have (RFC 9110, 5.6.2), 0 for all others.
inline constexpr CharacterTable kTokenLower = [] {
  CharacterTable table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = static_cast<char>(c);
  for (int c = 'a'; c <= 'z'; ++c) {
    table[static_cast<size_t>(c)] = static_cast<char>(c);
    table[static_cast<size_t>(c - 'a' + 'A')] = static_cast<char>(c);
  }
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<size_t>(c)] = c;
  return table;
}();

inline bool is_token_character(char c) { return look_up(kTokenLower, c) != 0; }

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Past what may stand in the text of a field: no control character but the tab. Bytes beyond ASCII may.
template <typename Char>
Char* skip_field_text(Char* p, Char* end) {
  constexpr uint64_t kEach = 0x0101010101010101;
  constexpr uint64_t kHighBits = 0x8080808080808080;
  // The high bit of each byte that is zero, and perhaps of bytes after such a one: the first is always right.
  constexpr auto zero = [](uint64_t eight) { return (eight - kEach) & ~eight & kHighBits; };
  for (;;) {
    if constexpr (std::endian::native == std::endian::little) {
      while (end - p >= 8) {
        uint64_t eight;
        std::memcpy(&eight, p, 8);
        const uint64_t control = ((eight - kEach * 0x20) & ~eight & kHighBits) | zero(eight ^ kEach * 0x7f);
        if (control != 0) {
          p += std::countr_zero(control) / 8;
          break;
        }
        p += 8;
      }
    }
    while (p != end && static_cast<unsigned char>(*p) >= 0x20 && *p != 0x7f) ++p;
    if (p == end || *p != '\t') return p;
    ++p;
  }
}

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Whether `text` is `lower`, which is in lower case, whatever its own case.
inline bool is_same_token(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() && std::equal(text.begin(), text.end(), lower.begin(), [](char c, char wanted) {
           return look_up(kTokenLower, c) == wanted;
         });
}

// Calls `use` with each element of a list with commas, without the blanks around it. Empty ones are none.
template <typename Use>
void each_element(std::string_view list, Use&& use) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (const std::string_view element = trim(list.substr(0, comma)); !element.empty()) use(element);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

}  // namespace headrace
