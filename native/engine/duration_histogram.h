// How long things took: counts in buckets whose bounds are powers of two of a microsecond, and the exact sum.
//
// The bounds are fixed so that histograms of all models and of JavaScript's own (src/serving) add up. Adding is a
// multiplication, a bit count and two additions: it may be done for every step, under the scheduler's mutex.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "clock.h"

namespace headrace {

class DurationHistogram {
 public:
  // Bucket i has what took at most 2^i microseconds and more than the one before it; the last one all that is longer.
  static constexpr size_t kBounded = 25;  // up to 2^24 us, about 17 s
  static constexpr size_t kBuckets = kBounded + 1;

  static constexpr size_t bucket_of(Nanos nanos) {
    if (nanos <= 1000) return 0;
    const uint64_t micros = (static_cast<uint64_t>(nanos) + 999) / 1000;
    const auto bucket = static_cast<size_t>(std::bit_width(micros - 1));
    return bucket < kBounded ? bucket : kBounded;
  }

  void add(Nanos nanos) {
    ++counts_[bucket_of(nanos)];
    sum_ += nanos;
  }

  const std::array<uint64_t, kBuckets>& counts() const { return counts_; }
  Nanos sum() const { return sum_; }

 private:
  std::array<uint64_t, kBuckets> counts_{};
  Nanos sum_ = 0;
};

}  // namespace headrace
