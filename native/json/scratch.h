// Memory for the tensors of one request at a time, used again for the next.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace headrace::json {

class Scratch {
 public:
  // Room for `bytes` more at the end. What was there stays; pointers into it do not.
  std::byte* grow(size_t bytes) {
    if (bytes > capacity_ - size_) reallocate(size_ + bytes);
    std::byte* const added = memory_.get() + size_;
    size_ += bytes;
    return added;
  }

  // Keeps the first `size` bytes. Memory for an unusually large request goes when nothing of it is left.
  void shrink(size_t size) {
    size_ = size;
    if (size == 0 && capacity_ > kKept) {
      memory_.reset();
      capacity_ = 0;
    }
  }

  size_t size() const { return size_; }
  std::span<std::byte> bytes() const { return {memory_.get(), size_}; }

  // The memory itself: another one after it has grown. Whoever holds it keeps it alive.
  const std::shared_ptr<std::byte[]>& memory() const { return memory_; }
  size_t capacity() const { return capacity_; }

 private:
  static constexpr size_t kLeast = size_t{64} << 10;
  static constexpr size_t kKept = size_t{4} << 20;

  void reallocate(size_t needed) {
    size_t capacity = capacity_ * 2;
    if (capacity < needed) capacity = needed;
    if (capacity < kLeast) capacity = kLeast;
    std::shared_ptr<std::byte[]> larger(new std::byte[capacity]);
    if (size_ > 0) std::memcpy(larger.get(), memory_.get(), size_);
    memory_ = std::move(larger);
    capacity_ = capacity;
  }

  std::shared_ptr<std::byte[]> memory_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace headrace::json
