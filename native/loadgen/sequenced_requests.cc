#include "sequenced_requests.h"

#include <algorithm>

#include "grpc.h"
#include "websocket.h"

namespace headrace::bench {

namespace {

// One mask for all frames: masking them beforehand keeps the generator cheap, and the server unmasks them all the same.
constexpr std::uint32_t kMask = 0x5AC3'71E9;

}  // namespace

SequencedRequests::SequencedRequests(const RequestFile& file, SequenceOptions options, std::size_t slots)
    : options_(std::move(options)),
      gap_(file.gap),
      forms_(file.forms),
      slots_(slots),
      nextSequence_(slots),
      random_(options_.seed) {
  frameAll(file);
  for (std::size_t i = 0; i < slots; ++i) {
    slots_[i].step = i * 7919 % file.steps();
    slots_[i].sequence = i;
    slots_[i].length = randomLength();
    if (slots_[i].length > 1) slots_[i].length = 1 + random_() % slots_[i].length;
  }
}

void SequencedRequests::frameAll(const RequestFile& file) {
  for (const RequestBody& body : file.bodies) {
    RequestBody& framed = framed_.emplace_back(body);
    if (options_.framing == Framing::webSocket) {
      framed.bytes = binaryFrame(body.bytes, kMask);
      framed.gap += framed.bytes.size() - body.bytes.size();
    } else if (options_.framing == Framing::grpc) {
      framed.bytes = grpcFrames(options_.host, options_.headers, body.bytes, options_.scheme);
      framed.gap = placeInGrpcFrames(framed.bytes, body.gap);
    }
  }
}

std::uint32_t SequencedRequests::randomLength() {
  if (options_.maxLength == 0) return 0;
  return std::uniform_int_distribution(options_.minLength, options_.maxLength)(random_);
}

void SequencedRequests::append(std::size_t slot, std::string& out) {
  Slot& state = slots_[slot];
  const bool isFirst = state.done == 0;
  state.done += 1;
  const bool isLast = state.done == state.length;
  const std::size_t form = forms_ == 1 ? 0 : isFirst && isLast ? 3 : isLast ? 2 : isFirst ? 0 : 1;
  const RequestBody& body = framed_[state.step * forms_ + form];

  std::string name = gapText(gap_, options_.numbered ? slot / options_.connections : state.sequence);
  if (options_.framing == Framing::webSocket) {
    applyMask(name, kMask, body.gap - frameHeadBytes(body.bytes));
  }
  const std::size_t at = out.size() + body.gap;
  out += body.bytes;
  std::ranges::copy(name, out.begin() + static_cast<std::ptrdiff_t>(at));

  state.step = (state.step + 1) % (framed_.size() / forms_);
  if (!isLast) return;
  if (options_.numbered) out += binaryFrame(gapText(gap_, slot / options_.connections), kMask);
  state = {.step = state.step, .sequence = nextSequence_++, .done = 0, .length = randomLength()};
}

}  // namespace headrace::bench
