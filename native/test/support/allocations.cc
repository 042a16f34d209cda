// In a file of its own: only programs that count get the operators from the library, and no compiler sees them next to
// the code that is counted.
#include "allocations.h"

#include <cstdlib>
#include <new>

namespace {

thread_local bool counting = false;
thread_local uint64_t allocations = 0;

}  // namespace

// The sanitizers have operators of their own; there, nothing is counted.
#if !HEADRACE_SANITIZED
// NOLINTBEGIN(cppcoreguidelines-no-malloc, cppcoreguidelines-owning-memory): what others own their memory by
void* operator new(size_t bytes) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
// NOLINTEND(cppcoreguidelines-no-malloc, cppcoreguidelines-owning-memory)
#endif

namespace headrace::testing {

void start_counting_allocations() {
  allocations = 0;
  counting = true;
}

uint64_t stop_counting_allocations() {
  counting = false;
  return allocations;
}

}  // namespace headrace::testing
