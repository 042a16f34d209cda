// The one clock of the measuring programs: monotonic nanoseconds.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>

namespace headrace::bench {

using Nanos = std::int64_t;

/// Later than any time.
inline constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

inline Nanos now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Rounded: a third of 0.6 s, three times, is 0.6 s.
inline Nanos nanosOf(double seconds) { return std::llround(seconds * 1e9); }
inline constexpr double secondsOf(Nanos nanos) { return static_cast<double>(nanos) / 1e9; }

}  // namespace headrace::bench
