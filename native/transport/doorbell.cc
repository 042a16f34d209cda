#include "doorbell.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "status.h"

namespace headrace {

Doorbell::Doorbell() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw Error(Code::ResourceExhausted, "there are no file descriptors left for a server");
}

void Doorbell::ring() {
  is_rung_.store(true);
  if (!is_asleep_.exchange(false)) return;
  MutexLock lock(mutex_);
  if (!fd_) return;
  const uint64_t one = 1;
  // It can only fail where the counter is full, and then it is readable already.
  static_cast<void>(write(fd_.get(), &one, sizeof one) == sizeof one);
}

void Doorbell::close() {
  MutexLock lock(mutex_);
  fd_.reset();
}

bool Doorbell::begin_sleep() {
  is_asleep_.store(true);
  if (!is_rung_.exchange(false)) return true;
  is_asleep_.store(false);
  return false;
}

void Doorbell::answer() {
  uint64_t count = 0;
  static_cast<void>(read(fd_.get(), &count, sizeof count) == sizeof count);
}

}  // namespace headrace
