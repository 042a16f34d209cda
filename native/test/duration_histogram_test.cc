#include "duration_histogram.h"

#include <doctest/doctest.h>

#include <numeric>

namespace headrace {
namespace {

TEST_CASE("a duration goes into the first bucket whose bound it does not pass") {
  CHECK(DurationHistogram::bucket_of(0) == 0);
  CHECK(DurationHistogram::bucket_of(1000) == 0);
  CHECK(DurationHistogram::bucket_of(1001) == 1);
  CHECK(DurationHistogram::bucket_of(2000) == 1);
  CHECK(DurationHistogram::bucket_of(2001) == 2);
  for (size_t bucket = 1; bucket < DurationHistogram::kBounded; ++bucket) {
    const Nanos bound = (Nanos{1} << bucket) * 1000;
    CHECK(DurationHistogram::bucket_of(bound) == bucket);
    CHECK(DurationHistogram::bucket_of(bound + 1) == bucket + 1);
  }
}

TEST_CASE("what is longer than all bounds goes into the last bucket, and what is negative into the first") {
  CHECK(DurationHistogram::bucket_of(kForever) == DurationHistogram::kBounded);
  CHECK(DurationHistogram::bucket_of(INT64_MAX) == DurationHistogram::kBounded);
  CHECK(DurationHistogram::bucket_of(-1) == 0);
}

TEST_CASE("counts and sum follow what was added") {
  DurationHistogram histogram;
  for (const Nanos nanos : {Nanos{500}, Nanos{1500}, Nanos{1500}, Nanos{3'000'000}}) histogram.add(nanos);
  CHECK(histogram.sum() == 3'003'500);
  CHECK(histogram.counts()[0] == 1);
  CHECK(histogram.counts()[1] == 2);
  CHECK(histogram.counts()[12] == 1);
  CHECK(std::accumulate(histogram.counts().begin(), histogram.counts().end(), uint64_t{0}) == 4);
}

}  // namespace
}  // namespace headrace
