// Latencies in constant memory: buckets of 1/128 of an octave, so a percentile is off by less than 0.8 %, and the
// maximum is exact. One thread records and reads; nothing here is synchronised.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>

#include "clock.h"

namespace headrace::bench {

class Histogram {
 public:
  void record(Nanos latency) {
    const auto value = static_cast<std::uint64_t>(std::max<Nanos>(latency, 0));
    counts_[bucketOf(value)] += 1;
    total_ += 1;
    sum_ += static_cast<double>(value);
    max_ = std::max(max_, value);
  }

  /// The latency that a share (0..1) of the recorded ones did not exceed, in microseconds; 0 when nothing was recorded.
  double percentileMicros(double share) const;

  /// {"count":…,"mean":…,"p50":…,"p90":…,"p99":…,"p999":…,"max":…,"buckets":[[upper, count],…]}, microseconds. The
  /// buckets that are not empty, sixteen to an octave.
  std::string json() const;

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr std::uint64_t kSubBuckets = 1u << kSubBits;
  static constexpr unsigned kOctaves = 40;  // up to about 39 hours, longer than any run

  static std::size_t bucketOf(std::uint64_t value) {
    if (value < kSubBuckets) return value;
    const unsigned octave = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
    const std::size_t bucket = (octave + 1) * kSubBuckets + ((value >> octave) - kSubBuckets);
    return std::min(bucket, kOctaves * kSubBuckets - 1);
  }
  std::string bucketsJson() const;
  static std::uint64_t upperBoundOf(std::size_t bucket);

  std::array<std::uint64_t, kOctaves * kSubBuckets> counts_{};
  std::uint64_t total_ = 0;
  double sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace headrace::bench
