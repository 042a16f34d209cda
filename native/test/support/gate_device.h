// The host's memory with two taps for tests: a scatter can be held where it is, and allocations can be made to fail.
//
// A run of a batch scatters twice: after the model ran, while its steps are still "running" and can be cancelled, and
// when it writes the new states, when their outcome stands. It gathers twice before the model runs, and once for each
// row that moves between batches, under the scheduler's mutex. So a test that holds one knows exactly where a lane is.
// Not to be held while a release commits a held step, which scatters under the scheduler's mutex.
#pragma once

#include "device.h"
#include "mutex.h"

namespace headrace::testing {

class GateDevice final : public Device {
 public:
  // The `nth` scatter from now (1: the next) waits for let_go.
  void hold(int nth) EXCLUDES(mutex_);
  void hold_running() { hold(1); }
  void hold_committing() { hold(2); }
  // The same of a gather.
  void hold_gather(int nth) EXCLUDES(mutex_);
  void wait_held() EXCLUDES(mutex_);
  // And holds the `nth` scatter from now, as hold() does; 0: none.
  void let_go(int nth = 0) EXCLUDES(mutex_);

  // From now on no more than `bytes` may be allocated.
  void allow(size_t bytes) EXCLUDES(mutex_);

  Buffer allocate(size_t bytes) const override EXCLUDES(mutex_);
  void copy_in(std::byte* dst, const std::byte* src, size_t bytes, const XorMask& mask) const override;
  void copy_out(std::byte* dst, const std::byte* src, size_t bytes) const override;
  void gather(std::span<const RowMove> moves) const override EXCLUDES(mutex_);
  void scatter(std::span<const RowMove> moves) const override EXCLUDES(mutex_);
  void sync() const override {}
  const Ort::MemoryInfo& memory_info() const override { return cpu_device().memory_info(); }

 private:
  void wait_if_last(int& until_hold) const REQUIRES(mutex_);
  // Never called: allocate hands out the CPU device's own buffers.
  void free(std::byte* data) const override;

  mutable Mutex mutex_;
  mutable CondVar changed_;
  mutable int until_hold_ GUARDED_BY(mutex_) = 0;
  mutable int until_hold_gather_ GUARDED_BY(mutex_) = 0;
  mutable bool held_ GUARDED_BY(mutex_) = false;
  mutable size_t allowed_ GUARDED_BY(mutex_) = SIZE_MAX;
};

}  // namespace headrace::testing
