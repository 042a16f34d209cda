// Counts allocations. A program that includes this gets an operator new of its own.
#pragma once

#include <cstdint>

namespace headrace::testing {

// On this thread only. Always 0 under a sanitizer.
void start_counting_allocations();
uint64_t stop_counting_allocations();

}  // namespace headrace::testing
