// Threads that somebody waits for, and that have microseconds to do.
#pragma once

#include <pthread.h>

#include <string>

#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#endif

namespace headrace {

#if defined(__linux__)

// struct sched_attr of sched_setattr(2) in its first version: C libraries have it only since glibc 2.41.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};
static_assert(sizeof(SchedulingAttributes) == 48);

// Less than Linux gives others, which is 0.7 ms with one CPU and more with more.
constexpr uint64_t kTurnNanos = 500'000;

/// Asks for shorter turns than others have. It gets no more of the processor, but gets it when it wakes, and not when
/// the turn of whoever runs, such as JavaScript, is over. Since Linux 6.12 (EEVDF's custom slices); without effect
/// before.
inline void take_short_turns() {
  SchedulingAttributes attributes{};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.size = sizeof attributes;
  attributes.runtime = kTurnNanos;
  // Where a sandbox refuses it the thread runs as others do.
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

#endif

/// Called by a thread at its start. `name` has at most 15 characters: `top -H` and debuggers show it.
inline void begin_prompt_thread(const std::string& name) {
#if defined(__linux__)
  pthread_setname_np(pthread_self(), name.c_str());
  take_short_turns();
#elif defined(__APPLE__)
  pthread_setname_np(name.c_str());
#endif
}

}  // namespace headrace
