#include "gate_device.h"

#include <cstdlib>

#include "status.h"

namespace headrace::testing {

void GateDevice::hold(int nth) {
  MutexLock lock(mutex_);
  until_hold_ = nth;
}

void GateDevice::hold_gather(int nth) {
  MutexLock lock(mutex_);
  until_hold_gather_ = nth;
}

void GateDevice::wait_held() {
  MutexLock lock(mutex_);
  while (!held_) changed_.wait(mutex_);
}

void GateDevice::let_go(int nth) {
  MutexLock lock(mutex_);
  until_hold_ = nth;
  held_ = false;
  changed_.notify_all();
}

void GateDevice::allow(size_t bytes) {
  MutexLock lock(mutex_);
  allowed_ = bytes;
}

Buffer GateDevice::allocate(size_t bytes) const {
  {
    MutexLock lock(mutex_);
    if (bytes > allowed_) throw Error(Code::ResourceExhausted, "the test's device is full");
    if (allowed_ != SIZE_MAX) allowed_ -= bytes;
  }
  return cpu_device().allocate(bytes);
}

void GateDevice::copy_in(std::byte* dst, const std::byte* src, size_t bytes, const XorMask& mask) const {
  cpu_device().copy_in(dst, src, bytes, mask);
}

void GateDevice::copy_out(std::byte* dst, const std::byte* src, size_t bytes) const {
  cpu_device().copy_out(dst, src, bytes);
}

void GateDevice::gather(std::span<const RowMove> moves) const {
  {
    MutexLock lock(mutex_);
    wait_if_last(until_hold_gather_);
  }
  cpu_device().gather(moves);
}

void GateDevice::scatter(std::span<const RowMove> moves) const {
  {
    MutexLock lock(mutex_);
    wait_if_last(until_hold_);
  }
  cpu_device().scatter(moves);
}

void GateDevice::wait_if_last(int& until_hold) const {
  if (until_hold == 0 || --until_hold > 0) return;
  held_ = true;
  changed_.notify_all();
  while (held_) changed_.wait(mutex_);
}

void GateDevice::free(std::byte*) const { std::abort(); }

}  // namespace headrace::testing
