// Bytes on their way out: appended at one end, taken by the system at the other.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "threshold.h"

namespace headrace {

class Output {
 public:
  // What a burst made it grow to is given back once it is empty.
  static constexpr size_t kKeptBytes = threshold(256 << 10);

  size_t size() const { return bytes_.size() - sent_; }
  bool empty() const { return size() == 0; }
  std::span<const std::byte> unsent() const { return std::span(bytes_).subspan(sent_); }

  void append(std::span<const std::byte> more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
  void append(std::string_view text) { append(std::as_bytes(std::span(text))); }

  // Room for more bytes, to be filled before the next call.
  std::byte* grow(size_t more) {
    const size_t at = bytes_.size();
    bytes_.resize(at + more);
    return bytes_.data() + at;
  }

  void sent(size_t count) {
    sent_ += count;
    if (sent_ < bytes_.size()) {
      compact();
      return;
    }
    clear();
  }

  void clear() {
    bytes_.clear();
    if (bytes_.capacity() > kKeptBytes) bytes_.shrink_to_fit();
    sent_ = 0;
  }

 private:
  // A slow reader's backlog moves to the front now and then, or it would grow for ever.
  void compact() {
    if (sent_ < kKeptBytes || sent_ < bytes_.size() / 2) return;
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
  }

  std::vector<std::byte> bytes_;
  size_t sent_ = 0;
};

}  // namespace headrace
