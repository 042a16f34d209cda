// Whatever is packed, what comes out is what zlib makes of it piece by piece, and no more than allowed. The first three
// bytes choose what is done: bytes as they came, or packed here as one member or several, with an end that may lie
// about the size.
#include <zlib.h>

#include <algorithm>
#include <span>
#include <vector>

#include "inflater.h"
#include "property.h"

namespace headrace::fuzz {
namespace {

constexpr size_t kMostPlain = size_t{1} << 18;

using Bytes = std::vector<Bytef>;

int window_of(Packing packing) { return packing == Packing::Gzip ? 15 + 16 : 15; }

Bytes packed(std::span<const Bytef> plain, Packing packing, int level) {
  z_stream stream{};
  demand(deflateInit2(&stream, level, Z_DEFLATED, window_of(packing), 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib begins");
  Bytes result(deflateBound(&stream, plain.size()));
  stream.next_in = const_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = result.data();
  stream.avail_out = static_cast<uInt>(result.size());
  demand(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib packs");
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

struct Expected {
  Inflated::Outcome outcome;
  Bytes bytes;
  size_t left_over;
};

// The same, a few bytes at a time.
Expected expected(std::span<const Bytef> packed, Packing packing, size_t limit) {
  z_stream stream{};
  demand(inflateInit2(&stream, window_of(packing)) == Z_OK, "zlib begins");
  Bytes bytes;
  Bytef piece[7];
  const auto ended = [&](Inflated::Outcome outcome, size_t left_over) {
    inflateEnd(&stream);
    return Expected{outcome, std::move(bytes), left_over};
  };
  for (size_t at = 0;;) {
    stream.next_in = const_cast<Bytef*>(packed.data() + at);
    stream.avail_in = static_cast<uInt>(packed.size() - at);
    stream.next_out = piece;
    stream.avail_out = sizeof(piece);
    const int result = inflate(&stream, Z_NO_FLUSH);
    at = packed.size() - stream.avail_in;
    bytes.insert(bytes.end(), piece, piece + (sizeof(piece) - stream.avail_out));
    if (bytes.size() > limit) return ended(Inflated::Outcome::TooLarge, 0);
    if (result == Z_OK) continue;
    if (result != Z_STREAM_END) return ended(Inflated::Outcome::Broken, 0);
    if (at == packed.size()) return ended(Inflated::Outcome::Whole, 0);
    const bool goes_on = packed.size() - at >= 2 && packed[at] == 0x1f && packed[at + 1] == 0x8b;
    if (packing == Packing::Zlib || !goes_on) return ended(Inflated::Outcome::Followed, packed.size() - at);
    inflateReset(&stream);
  }
}

Bytes chosen(std::span<const Bytef> data, Packing packing, Bytef choice) {
  const bool is_packed_here = (choice & 1) != 0;
  if (!is_packed_here) return {data.begin(), data.end()};
  // What is repeated becomes much larger than it was packed.
  const size_t times = size_t{1} << (choice >> 1 & 7);
  Bytes plain;
  for (size_t i = 0; i < times && plain.size() < kMostPlain; ++i) plain.insert(plain.end(), data.begin(), data.end());
  const int members = packing == Packing::Gzip ? 1 + (choice >> 4 & 3) : 1;
  Bytes result;
  for (int i = 0; i < members; ++i) {
    const Bytes member = packed(plain, packing, 1 + (choice >> 6 & 3) * 2);
    result.insert(result.end(), member.begin(), member.end());
  }
  return result;
}

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  using namespace headrace::fuzz;
  constexpr size_t kChoices = 3;
  if (size < kChoices) return 0;
  const Packing packing = (data[0] & 1) != 0 ? Packing::Gzip : Packing::Zlib;
  const size_t limit = size_t{1} << (data[0] >> 1 & 31) % 21;
  Bytes input = chosen(std::span(data, size).subspan(kChoices), packing, data[1]);
  if ((data[2] & 1) != 0 && input.size() > 4) std::fill(input.end() - 4, input.end() - 1, data[2]);
  const Expected wanted = expected(input, packing, limit);
  const Inflated got = inflate_whole(std::as_bytes(std::span(input)), packing, limit);
  demand(got.outcome == wanted.outcome, "the outcome of zlib piece by piece");
  demand((got.outcome == Inflated::Outcome::Broken) != got.reason.empty(), "a reason of what is broken only");
  demand(got.left_over == (wanted.outcome == Inflated::Outcome::Followed ? wanted.left_over : 0), "what is behind it");
  if (got.outcome != Inflated::Outcome::Whole) return 0;
  demand(got.size <= limit, "no more bytes than allowed");
  const auto bytes = std::span(got.bytes.get(), got.size);
  demand(std::ranges::equal(bytes, std::as_bytes(std::span(wanted.bytes))), "the same bytes");
  return 0;
}
