// An input cut into pieces, each in memory of its own that ends where the address sanitizer notices.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace headrace::fuzz {

inline std::vector<char> copy_of(std::string_view text) { return {text.begin(), text.end()}; }

// Calls `use` with each piece, as long as it returns true. How long they are follows from `seed`.
template <typename Use>
void each_piece(std::string_view text, uint32_t seed, Use&& use) {
  while (!text.empty()) {
    seed = seed * 1664525 + 1013904223;
    const size_t size = std::min<size_t>(1 + (seed >> 24) % ((seed >> 16) % 4 == 0 ? 64 : 3), text.size());
    const std::vector<char> piece = copy_of(text.substr(0, size));
    if (!use(std::span(piece))) return;
    text.remove_prefix(size);
  }
}

}  // namespace headrace::fuzz
