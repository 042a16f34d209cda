// An input cut into pieces, each in memory of its own that ends where the address sanitizer notices.
#pragma once

#include <linux/sockios.h>
#include <sys/ioctl.h>

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

// So much is sent at once at most: no more than is read in a turn, so that `unread_of` is another after each.
inline constexpr size_t kSentAtOnce = 256;

// Memory of what whoever has the other end of a pair of sockets has not read yet; of -1, none. A piece that was sent
// counts until all of it is read.
inline int unread_of(int end) {
  int bytes = 0;
  return ioctl(end, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

}  // namespace headrace::fuzz
