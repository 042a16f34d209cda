#include "inflater.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "status.h"

namespace headrace {
namespace {

constexpr size_t kMostAtOnce = std::numeric_limits<uInt>::max();
constexpr size_t kCountingRoom = size_t{64} << 10;

// No byte of deflate becomes more than this many.
constexpr size_t kMostExpansion = 1032;
// What becomes more than this many times as large is inflated so quickly that it may be done twice.
constexpr size_t kUsualExpansion = 16;
// A member with nothing in it: a header of 10 bytes, a block of 2, and a check value and a size of 4 each.
constexpr size_t kLeastGzip = 20;

[[noreturn]] void no_memory() {
  throw Error(Code::ResourceExhausted, "there is no memory to inflate this in; try again later");
}

bool begins_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

// How large the last member says that it was. Anybody can write anything there, and where the end is missing it is any number; but
// zlib compares it with what came out, so it is true of what is whole and has one member.
size_t announced_bytes(std::span<const std::byte> gzip) {
  if (gzip.size() < kLeastGzip) return 0;
  size_t bytes = 0;
  for (size_t i = 1; i <= 4; ++i) bytes = bytes << 8 | std::to_integer<size_t>(gzip[gzip.size() - i]);
  return bytes;
}

// How much to have memory for at first. Of gzip that cannot be whole, because it says that it is larger than it may or can be, none.
size_t expected_bytes(std::span<const std::byte> packed, Packing packing, size_t limit) {
  if (packing == Packing::Zlib) return std::min(limit, std::max(packed.size() * kUsualExpansion, kCountingRoom));
  const size_t announced = announced_bytes(packed);
  return announced <= std::min(limit, packed.size() * kMostExpansion) ? announced : 0;
}

// What comes out: kept as long as it is no more than expected, and only counted where it is more. Memory that the system has to
// clear for what is thrown away in the end would take longer than inflating.
class Output {
 public:
  Output(size_t expected, size_t limit) : limit_(limit), is_kept_(true) { reserve(expected + 1); }

  // Where to write: never nothing, so that zlib, which may want room to find the end, has some.
  std::span<std::byte> room() {
    if (is_kept_ && size_ == capacity_) {
      is_kept_ = false;
      memory_.reset();
      reserve(kCountingRoom);
    }
    const size_t begin = is_kept_ ? size_ : 0;
    return {memory_.get() + begin, capacity_ - begin};
  }
  void wrote(size_t bytes) { size_ += bytes; }
  bool is_too_large() const { return size_ > limit_; }

  // Without bytes where they were only counted.
  Inflated take() {
    if (!is_kept_) return {Inflated::Outcome::Whole, {}, size_, 0, {}};
    return {Inflated::Outcome::Whole, std::move(memory_), size_, 0, {}};
  }

 private:
  void reserve(size_t capacity) {
    try {
      memory_ = std::make_unique_for_overwrite<std::byte[]>(capacity);
    } catch (const std::bad_alloc&) {
      no_memory();
    }
    capacity_ = capacity;
  }

  const size_t limit_;
  bool is_kept_;
  std::unique_ptr<std::byte[]> memory_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// zlib's state, and where it is in what is packed.
class Inflater {
 public:
  Inflater(std::span<const std::byte> packed, Packing packing) : rest_(packed) {
    constexpr int kLargestWindow = 15;
    constexpr int kGzip = 16;
    const int window = packing == Packing::Gzip ? kLargestWindow + kGzip : kLargestWindow;
    const int result = inflateInit2(&stream_, window);
    if (result == Z_MEM_ERROR) no_memory();
    if (result != Z_OK) bug("zlib cannot be begun: " + std::to_string(result));
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // zlib's result for as much as there is room for.
  int step(Output& output) {
    const std::span<std::byte> room = output.room();
    const auto in = static_cast<uInt>(std::min(rest_.size(), kMostAtOnce));
    const auto out = static_cast<uInt>(std::min(room.size(), kMostAtOnce));
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(rest_.data()));
    stream_.avail_in = in;
    stream_.next_out = reinterpret_cast<Bytef*>(room.data());
    stream_.avail_out = out;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    rest_ = rest_.subspan(in - stream_.avail_in);
    output.wrote(out - stream_.avail_out);
    return result;
  }
  void begin_next_member() { inflateReset(&stream_); }

  std::span<const std::byte> rest() const { return rest_; }
  std::string reason(int result) const {
    if (result == Z_BUF_ERROR) return "unexpected end of file";  // there always is room
    if (result == Z_NEED_DICT) return "a dictionary is needed";
    return stream_.msg == nullptr ? "zlib says " + std::to_string(result) : stream_.msg;
  }

 private:
  std::span<const std::byte> rest_;
  z_stream stream_{};
};

Inflated inflate_expecting(std::span<const std::byte> packed, Packing packing, size_t limit, size_t expected) {
  using enum Inflated::Outcome;
  Output output(expected, limit);
  Inflater inflater(packed, packing);
  for (;;) {
    const int result = inflater.step(output);
    if (output.is_too_large()) return {TooLarge, {}, 0, 0, {}};
    if (result == Z_OK) continue;
    if (result == Z_MEM_ERROR) no_memory();
    if (result != Z_STREAM_END) return {Broken, {}, 0, 0, inflater.reason(result)};
    if (inflater.rest().empty()) return output.take();
    if (packing == Packing::Zlib || !begins_gzip(inflater.rest())) {
      return {Followed, {}, 0, inflater.rest().size(), {}};
    }
    inflater.begin_next_member();
  }
}

}  // namespace

Inflated inflate_whole(std::span<const std::byte> packed, Packing packing, size_t limit) {
  Inflated inflated = inflate_expecting(packed, packing, limit, expected_bytes(packed, packing, limit));
  if (inflated.outcome == Inflated::Outcome::Whole && inflated.bytes == nullptr) {
    inflated = inflate_expecting(packed, packing, limit, inflated.size);
  }
  return inflated;
}

}  // namespace headrace
