// What a fuzz target demands of the code. Unlike assert, it is there in every kind of build.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace headrace::fuzz {

inline void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace headrace::fuzz
