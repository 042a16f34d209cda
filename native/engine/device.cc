#include "device.h"

#include <cstdint>
#include <cstring>
#include <new>

#include "status.h"

namespace headrace {
namespace {

constexpr size_t kAlignment = 64;  // one cache line, and the widest vector load

void move_rows(std::span<const RowMove> moves) {
  for (const RowMove& move : moves) {
    for (size_t piece = 0; piece < move.height; ++piece) {
      std::byte* dst = move.dst + piece * move.dst_pitch;
      if (move.src == nullptr) {
        std::memset(dst, 0, move.width);
      } else {
        std::memcpy(dst, move.src + piece * move.src_pitch, move.width);
      }
    }
  }
}

class CpuDevice final : public Device {
 public:
  Buffer allocate(size_t bytes) const override {
    void* data = nullptr;
    if (bytes < static_cast<size_t>(PTRDIFF_MAX) - kAlignment) {
      const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
      data = ::operator new(rounded, std::align_val_t{kAlignment}, std::nothrow);
    }
    if (data == nullptr) {
      throw Error(Code::ResourceExhausted, "out of memory: " + std::to_string(bytes) + " bytes for tensors");
    }
    return Buffer(static_cast<std::byte*>(data), bytes, *this);
  }
  void copy_in(std::byte* dst, const std::byte* src, size_t bytes, const XorMask& mask) const override {
    mask.copy(dst, src, bytes);
  }
  // memcpy may not be given null, not even for no bytes; an empty tensor has no data.
  void copy_out(std::byte* dst, const std::byte* src, size_t bytes) const override {
    if (bytes > 0) std::memcpy(dst, src, bytes);
  }
  void gather(std::span<const RowMove> moves) const override { move_rows(moves); }
  void scatter(std::span<const RowMove> moves) const override { move_rows(moves); }
  void sync() const override {}
  const Ort::MemoryInfo& memory_info() const override { return memory_info_; }

 private:
  void free(std::byte* data) const override { ::operator delete(data, std::align_val_t{kAlignment}); }

  Ort::MemoryInfo memory_info_ = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
};

}  // namespace

void FreeOnDevice::operator()(std::byte* data) const { device->free(data); }

const Device& cpu_device() {
  static const CpuDevice device;
  return device;
}

}  // namespace headrace
