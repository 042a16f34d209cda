// Monotonic time in nanoseconds, the one clock of the engine.
#pragma once

#include <chrono>
#include <cstdint>

namespace headrace {

using Nanos = int64_t;

// What "no limit" means as a duration: decades, and still far from overflowing when it is added to a time.
inline constexpr Nanos kForever = INT64_MAX / 4;

// `count` times `unit`, at most kForever: for durations that a user gives.
constexpr Nanos duration(int64_t count, Nanos unit) { return count > kForever / unit ? kForever : count * unit; }

inline Nanos now_nanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline std::chrono::steady_clock::time_point time_point_of(Nanos nanos) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(nanos));
}

}  // namespace headrace
