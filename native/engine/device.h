// Everything specific to where tensors live: memory, and moving rows in and out of it.
//
// Thread safety: a Device is immutable; its functions may be called from any thread. Two calls must not touch the same
// destination bytes at once, which the scheduler guarantees: a batch has one owner, a state id one active step.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "ort.h"
#include "xor_mask.h"

namespace headrace {

// A run of equally long pieces: `height` pieces of `width` bytes, whose starts lie `pitch` bytes apart on each side.
// A null source writes zeros.
struct RowMove {
  std::byte* dst;
  const std::byte* src;
  size_t dst_pitch;
  size_t src_pitch;
  size_t width;
  size_t height;
};

class Device;

struct FreeOnDevice {
  const Device* device = nullptr;
  void operator()(std::byte* data) const;
};

// A block of device memory, freed with its owner.
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::byte* data, size_t bytes, const Device& device) : data_(data, FreeOnDevice{&device}), bytes_(bytes) {}
  std::byte* data() const { return data_.get(); }
  size_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<std::byte, FreeOnDevice> data_;
  size_t bytes_ = 0;
};

class Device {
 public:
  virtual ~Device() = default;

  // At least `bytes` bytes, 64-byte aligned, contents undefined. Throws Error(ResourceExhausted).
  virtual Buffer allocate(size_t bytes) const = 0;

  // Host to device, without the mask that lies on `src`, and back.
  virtual void copy_in(std::byte* dst, const std::byte* src, size_t bytes, const XorMask& mask) const = 0;
  virtual void copy_out(std::byte* dst, const std::byte* src, size_t bytes) const = 0;

  // Rows of many states into one batch, and back. Done when `sync` returns.
  virtual void gather(std::span<const RowMove> moves) const = 0;
  virtual void scatter(std::span<const RowMove> moves) const = 0;
  virtual void sync() const = 0;

  virtual const Ort::MemoryInfo& memory_info() const = 0;

 private:
  friend struct FreeOnDevice;
  virtual void free(std::byte* data) const = 0;
};

// The host's memory. Lives as long as the process.
const Device& cpu_device();

}  // namespace headrace
