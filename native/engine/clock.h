// Monotonic time in nanoseconds, the one clock of the engine.
#pragma once

#include <chrono>
#include <cstdint>

namespace headrace {

using Nanos = int64_t;

inline Nanos now_nanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline std::chrono::steady_clock::time_point time_point_of(Nanos nanos) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(nanos));
}

}  // namespace headrace
