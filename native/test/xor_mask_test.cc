// The mask of a WebSocket's bytes, whatever the place and the size.
#include "xor_mask.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace headrace {
namespace {

constexpr std::array<uint8_t, XorMask::kBytes> kMask = {0x11, 0x22, 0x44, 0x88};
constexpr size_t kSizes = 150;
constexpr size_t kOffsets = 9;

std::vector<std::byte> random_bytes(size_t size, std::mt19937& random) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

std::vector<std::byte> unmasked(const std::vector<std::byte>& bytes, size_t offset) {
  std::vector<std::byte> result = bytes;
  for (size_t i = 0; i < bytes.size(); ++i) result[i] ^= static_cast<std::byte>(kMask[(offset + i) % kMask.size()]);
  return result;
}

// Bytes at any distance from what vectors are aligned to; of exactly the size, so that a sanitizer sees one too many.
struct Misplaced {
  Misplaced(size_t size, size_t by) : whole(std::make_unique<std::byte[]>(by + size)), data(whole.get() + by) {}
  std::unique_ptr<std::byte[]> whole;
  std::byte* data;
};

// Random bytes of every size, with the mask as it lies on them from every offset on, and a place for them without it.
template <typename Check>
void everywhere(const Check& check) {
  std::mt19937 random(1);
  for (size_t size = 0; size < kSizes; ++size) {
    for (size_t offset = 0; offset < kOffsets; ++offset) {
      CAPTURE(size);
      CAPTURE(offset);
      const std::vector<std::byte> bytes = random_bytes(size, random);
      const Misplaced place(size, offset % 8);
      check(bytes, XorMask(kMask).from(offset), place.data);
      CHECK(std::vector(place.data, place.data + size) == unmasked(bytes, offset));
    }
  }
}

TEST_CASE("a mask is taken off on the way to a copy, and the bytes keep theirs") {
  everywhere([](const std::vector<std::byte>& bytes, const XorMask& mask, std::byte* place) {
    std::vector<std::byte> masked = bytes;
    std::byte* const from = masked.data();
    mask.copy(place, from, masked.size());
    CHECK(masked == bytes);
  });
}

TEST_CASE("a mask is taken off in place") {
  everywhere([](const std::vector<std::byte>& bytes, const XorMask& mask, std::byte* place) {
    std::copy(bytes.begin(), bytes.end(), place);
    mask.remove(place, bytes.size());
  });
}

TEST_CASE("no mask is none, wherever it begins, and what is nowhere has no bytes") {
  CHECK(XorMask().is_none());
  CHECK(XorMask({0, 0, 0, 0}).is_none());
  CHECK(XorMask().from(3).is_none());
  CHECK(XorMask(kMask).from(1) == XorMask({0x22, 0x44, 0x88, 0x11}));
  for (const XorMask& mask : {XorMask(), XorMask(kMask)}) {
    mask.copy(nullptr, nullptr, 0);
    const std::byte from{5};
    std::byte to{};
    mask.copy(&to, &from, 1);
    CHECK(to == (mask.is_none() ? std::byte{5} : std::byte{5 ^ 0x11}));
  }
}

}  // namespace
}  // namespace headrace
