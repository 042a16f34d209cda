#include "xor_mask.h"

#include <cstring>

namespace headrace {
namespace {

// As many whole words as fit; how many bytes those were.
template <typename Word>
[[gnu::always_inline]] inline size_t copy_by(std::byte* dst, const std::byte* src, size_t size, const Word& mask) {
  const size_t whole = size / sizeof(Word) * sizeof(Word);
  for (size_t i = 0; i < whole; i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, src + i, sizeof word);
    word ^= mask;
    std::memcpy(dst + i, &word, sizeof word);
  }
  return whole;
}

#if defined(__x86_64__)
using Wide = uint64_t __attribute__((vector_size(32)));

[[gnu::target("avx2")]] size_t copy_avx2(std::byte* dst, const std::byte* src, size_t size, uint64_t mask) {
  return copy_by(dst, src, size, Wide{mask, mask, mask, mask});
}

// A frame of samples is some kilobytes: by words of 8 bytes this is the dearest thing that a step costs here.
size_t copy_wide(std::byte* dst, const std::byte* src, size_t size, uint64_t mask) {
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  return has_avx2 ? copy_avx2(dst, src, size, mask) : 0;
}
#else
size_t copy_wide(std::byte*, const std::byte*, size_t, uint64_t) { return 0; }
#endif

}  // namespace

XorMask XorMask::from(size_t offset) const {
  const Twice bytes = std::bit_cast<Twice>(twice_);
  return XorMask({bytes[offset % kBytes], bytes[(offset + 1) % kBytes], bytes[(offset + 2) % kBytes],
                  bytes[(offset + 3) % kBytes]});
}

void XorMask::copy(std::byte* dst, const std::byte* src, size_t size) const {
  if (is_none()) {
    if (size > 0 && dst != src) std::memcpy(dst, src, size);
    return;
  }
  size_t done = copy_wide(dst, src, size, twice_);
  done += copy_by(dst + done, src + done, size - done, twice_);
  const Twice bytes = std::bit_cast<Twice>(twice_);
  for (size_t i = done; i < size; ++i) dst[i] = src[i] ^ static_cast<std::byte>(bytes[i % bytes.size()]);
}

}  // namespace headrace
