#include "histogram.h"

#include <cmath>

#include "json_text.h"

namespace headrace::bench {

std::uint64_t Histogram::upperBoundOf(std::size_t bucket) {
  if (bucket < kSubBuckets) return bucket;
  const std::size_t octave = bucket / kSubBuckets - 1;
  return ((bucket % kSubBuckets + kSubBuckets + 1) << octave) - 1;
}

double Histogram::percentileMicros(double share) const {
  const auto rank =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_))));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return static_cast<double>(std::min(upperBoundOf(bucket), max_)) / 1e3;
  }
  return 0;
}

std::string Histogram::json() const {
  return JsonObject()
      .number("p50", percentileMicros(0.50))
      .number("p90", percentileMicros(0.90))
      .number("p99", percentileMicros(0.99))
      .number("p999", percentileMicros(0.999))
      .number("max", static_cast<double>(max_) / 1e3)
      .text();
}

}  // namespace headrace::bench
