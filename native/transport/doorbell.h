// Interrupts the sleep of an I/O thread. Shared with all who ring, any of whom may be late: the thread, and what it
// belonged to, may be gone by then.
#pragma once

#include <atomic>

#include "mutex.h"
#include "unique_fd.h"

namespace headrace {

class Doorbell {
 public:
  // Throws Error(ResourceExhausted) where there is no descriptor left.
  Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // Any thread, at any time.
  void ring() EXCLUDES(mutex_);
  // The thread has ended: nobody listens any more.
  void close() EXCLUDES(mutex_);

  // --- the thread ---

  // Readable once somebody has rung while it sleeps.
  int fd() const { return fd_.get(); }
  // False: somebody rang before. Else it may sleep, and has to say when it does not any more.
  bool begin_sleep();
  void end_sleep() { is_asleep_.store(false, std::memory_order_relaxed); }
  // Whoever rings from now on wants another turn.
  void begin_turn() { is_rung_.store(false); }
  // Takes what made `fd` readable.
  void answer();

 private:
  // Set before the thread may sleep; whoever takes it back writes to the descriptor.
  std::atomic<bool> is_asleep_ = false;
  // Without it, ringing between the end of a turn and the sleep would be lost.
  std::atomic<bool> is_rung_ = false;
  Mutex mutex_;  // held while the descriptor is written to by others, or closed
  UniqueFd fd_;
};

}  // namespace headrace
