// Sizes from which on something is done another way: copied or not, read on or not, in memory of its own or not.
#pragma once

#include <cstddef>

namespace headrace {

/// `bytes`; for fuzzing, which has small inputs, a part of it, so that those come beyond it too.
constexpr size_t threshold(size_t bytes) {
#if defined(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
  return bytes / 256;
#else
  return bytes;
#endif
}

}  // namespace headrace
