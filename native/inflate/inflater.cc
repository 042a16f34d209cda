#include "inflater.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "status.h"

namespace headrace {
namespace {

constexpr size_t kMostAtOnce = std::numeric_limits<uInt>::max();
constexpr size_t kCountingRoom = size_t{64} << 10;

// What becomes more than this many times as large is inflated so quickly that it may be done twice.
constexpr size_t kUsualExpansion = 16;
constexpr size_t kGuessedExpansion = 2;
// A member with nothing in it: a header of 10 bytes, a block of 2, and a check value and a size of 4 each.
constexpr size_t kLeastGzip = 20;

[[noreturn]] void no_memory() {
  throw Error(Code::ResourceExhausted, "there is no memory to inflate this in; try again later");
}

bool begins_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

// How large the last member says that it was; 0 where it does not. Anybody can write anything there, and where the end
// is missing it is any number.
size_t announced_bytes(std::span<const std::byte> gzip) {
  if (gzip.size() < kLeastGzip) return 0;
  size_t bytes = 0;
  for (size_t i = 1; i <= 4; ++i) bytes = bytes << 8 | std::to_integer<size_t>(gzip[gzip.size() - i]);
  return bytes;
}

// What comes out. It is kept as long as it is no more than usual for so many bytes, and only counted where it is more:
// memory that the system has to clear for what is thrown away in the end takes longer than inflating it.
class Output {
 public:
  // `expected` is a guess, `most_kept` is not.
  Output(size_t expected, size_t most_kept, size_t limit)
      : most_kept_(most_kept + 1),
        limit_(limit),
        capacity_(std::min(expected + 1, most_kept_)),
        memory_(allocate(capacity_)) {}

  // Where to write: never nothing, so that zlib, which may want room to find the end, has some.
  std::span<std::byte> room() {
    if (is_kept_ && size_ == capacity_) {
      if (capacity_ < most_kept_) {
        grow();
      } else {
        begin_counting();
      }
    }
    const size_t begin = is_kept_ ? size_ : 0;
    return {memory_.get() + begin, capacity_ - begin};
  }
  void wrote(size_t bytes) { size_ += bytes; }
  bool is_too_large() const { return size_ > limit_; }

  // Without bytes where they were only counted.
  Inflated take() {
    if (!is_kept_) memory_.reset();
    return {Inflated::Outcome::Whole, std::move(memory_), size_, 0, {}};
  }

 private:
  void grow() {
    const size_t capacity = std::min(capacity_ * 2, most_kept_);
    auto larger = allocate(capacity);
    std::memcpy(larger.get(), memory_.get(), size_);
    memory_ = std::move(larger);
    capacity_ = capacity;
  }
  void begin_counting() {
    is_kept_ = false;
    memory_.reset();
    memory_ = allocate(kCountingRoom);
    capacity_ = kCountingRoom;
  }
  static std::unique_ptr<std::byte[]> allocate(size_t bytes) {
    try {
      return std::make_unique_for_overwrite<std::byte[]>(bytes);
    } catch (const std::bad_alloc&) {
      no_memory();
    }
  }

  const size_t most_kept_;
  const size_t limit_;
  bool is_kept_ = true;
  size_t size_ = 0;
  size_t capacity_;
  std::unique_ptr<std::byte[]> memory_;
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

Inflated inflate_into(Output output, std::span<const std::byte> packed, Packing packing) {
  using enum Inflated::Outcome;
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
  const size_t usual = std::min(limit, std::max(packed.size() * kUsualExpansion, kCountingRoom));
  const size_t announced = packing == Packing::Gzip ? announced_bytes(packed) : 0;
  const size_t expected = announced == 0 ? packed.size() * kGuessedExpansion : announced;
  Inflated inflated = inflate_into(Output(expected, usual, limit), packed, packing);
  if (inflated.outcome == Inflated::Outcome::Whole && inflated.bytes == nullptr) {
    const size_t size = inflated.size;
    inflated = inflate_into(Output(size, size, limit), packed, packing);
    if (inflated.bytes == nullptr) bug("what has been inflated before is another size now");
  }
  return inflated;
}

}  // namespace headrace
