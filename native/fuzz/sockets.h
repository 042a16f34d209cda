// A client at one end of a pair of sockets, of which an I/O thread has the other.
#pragma once

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <cstddef>
#include <utility>

#include "io_thread.h"

namespace headrace::fuzz {

// So much is sent at once at most: no more than is read in a turn, so that `unread_of` is another after each.
inline constexpr size_t kSentAtOnce = 256;
// To read all of the largest input.
inline constexpr int kMostTurns = 1000;

// Memory of what whoever has the other end of a pair of sockets has not read yet; of -1, none. A piece that was sent
// counts until all of it is read.
inline int unread_of(int end) {
  int bytes = 0;
  return ioctl(end, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

// Until all that is read of what was sent has been, and told, and `is_busy`, which is asked on the thread, says no. A
// task may run in a turn that had looked at its sockets before, and events are published at the end of a turn.
template <typename IsBusy>
void settle(IoThread& thread, int end, IsBusy&& is_busy) {
  int unread = unread_of(end);
  bool goes_on = true;
  for (int quiet = 0; quiet < 3; quiet = goes_on ? 0 : quiet + 1) {
    thread.post_and_wait([&] { goes_on = is_busy(); });
    const int now = unread_of(end);
    if (std::exchange(unread, now) != now) goes_on = true;
  }
}

// Until the thread has seen that its only client is gone, and told it; first it reads what was sent before. `settle`
// takes its events too.
template <typename Settle>
void settle_leaving(const ServerShared& shared, Settle&& settle) {
  bool is_gone = false;
  for (int turn = 0; !is_gone && turn < kMostTurns; ++turn) {
    is_gone = shared.connections.load() == 0;
    settle();
  }
}

}  // namespace headrace::fuzz
