#include "histogram.h"

#include <cmath>
#include <numeric>

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
      .count("count", total_)
      .number("mean", total_ == 0 ? 0 : sum_ / static_cast<double>(total_) / 1e3)
      .number("p50", percentileMicros(0.50))
      .number("p90", percentileMicros(0.90))
      .number("p99", percentileMicros(0.99))
      .number("p999", percentileMicros(0.999))
      .number("max", static_cast<double>(max_) / 1e3)
      .raw("buckets", bucketsJson())
      .text();
}

std::string Histogram::bucketsJson() const {
  constexpr std::size_t kTogether = kSubBuckets / 16;
  std::string list = "[";
  for (std::size_t first = 0; first < counts_.size(); first += kTogether) {
    const auto begin = counts_.begin() + static_cast<std::ptrdiff_t>(first);
    const std::uint64_t count = std::accumulate(begin, begin + kTogether, std::uint64_t{0});
    if (count == 0) continue;
    if (list.size() > 1) list += ',';
    const double upper = static_cast<double>(std::min(upperBoundOf(first + kTogether - 1), max_)) / 1e3;
    list.append(1, '[').append(decimal(upper)).append(1, ',').append(std::to_string(count)).append(1, ']');
  }
  return list + "]";
}

}  // namespace headrace::bench
