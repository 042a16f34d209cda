// Which batch a step joins, and which batch runs next: pure functions of values, no thread, no model, no clock.
//
// Steps wait in *forming* batches. Rows of one batch have equal shapes and belong to different state ids, none of which
// has a step running: the scheduler offers a step here only when its state id is free. So any forming batch may run at
// any time, and what remains to decide is who goes first.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "clock.h"
#include "tensor.h"

namespace headrace {

class Batch;

// 0 is the default priority on the wire, 1 the highest; as ranks, lower goes first.
using Rank = uint8_t;
inline constexpr Rank kDefaultRank = 128;
constexpr Rank rank_of(uint32_t priority) {
  return priority == 0 ? kDefaultRank : static_cast<Rank>(priority > 255 ? 255 : priority);
}

struct Forming {
  Batch* batch = nullptr;
  uint32_t size = 0;
  uint32_t capacity = 0;
  Rank rank = kDefaultRank;                    // the best of its rows
  Nanos oldest = 0;                            // when its first row was submitted
  const std::vector<Shape>* shapes = nullptr;  // of its rows' inputs; null where the model fixes them

  bool full() const { return size >= capacity; }
};

enum class DispatchReason : uint8_t { Full, Idle, Delay };

struct Dispatch {
  size_t index = 0;
  DispatchReason reason = DispatchReason::Idle;
};

struct Decision {
  std::optional<Dispatch> run;
  std::optional<Nanos> wait_until;  // nothing to run yet: ask again then
};

// The forming batch that a step of these shapes joins, or nothing: it begins a new one.
inline std::optional<size_t> choose_forming(std::span<const Forming> forming, const std::vector<Shape>* shapes) {
  for (size_t i = forming.size(); i-- > 0;) {
    if (forming[i].full()) continue;
    if (shapes == nullptr || *forming[i].shapes == *shapes) return i;
  }
  return std::nullopt;
}

// The better rank first, the older of equals.
inline bool goes_before(const Forming& one, const Forming& other) {
  return one.rank < other.rank || (one.rank == other.rank && one.oldest < other.oldest);
}

// What an idle lane does at `now`: the best-ranked batch first, the oldest of equals. With `max_delay` above 0 a batch
// that is not full waits until its oldest row is that old.
inline Decision next_dispatch(std::span<const Forming> forming, Nanos now, Nanos max_delay) {
  Decision decision;
  for (size_t i = 0; i < forming.size(); ++i) {
    const Forming& candidate = forming[i];
    const Nanos due = candidate.oldest + max_delay;
    if (!candidate.full() && max_delay > 0 && due > now) {
      if (!decision.wait_until || due < *decision.wait_until) decision.wait_until = due;
      continue;
    }
    if (decision.run && !goes_before(candidate, forming[decision.run->index])) continue;
    const DispatchReason waited = max_delay > 0 ? DispatchReason::Delay : DispatchReason::Idle;
    decision.run = Dispatch{i, candidate.full() ? DispatchReason::Full : waited};
  }
  if (decision.run) decision.wait_until.reset();
  return decision;
}

}  // namespace headrace
