// What I/O threads tell JavaScript, in blocks: some hundred events and the bytes that belong to them.
//
// A block is filled by one I/O thread, then read by the JavaScript thread, then comes back to be used again. It always
// has exactly one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "threshold.h"

namespace headrace {

// The mirror of EventKind in src/engine/server-surface.ts.
enum class EventKind : uint32_t {
  Request = 1,  // a head, and what had come of the body
  Body = 2,     // a further piece of it
  Aborted = 3,  // the client went before the answer was complete
  Sent = 4,     // the system has taken what was written for an exchange, or to a WebSocket that did not read
  Message = 5,  // of a WebSocket
  Closed = 6,   // a WebSocket is gone
  Tapped = 7,   // the outcome of a step that somebody follows
  Control = 8,  // a text frame of a raw stream
};

// Whether the connection of such events waits where JavaScript does not read them: a client can cause any number.
constexpr bool waits_for_reader(EventKind kind) {
  return kind == EventKind::Body || kind == EventKind::Message || kind == EventKind::Tapped;
}

namespace event_flags {
inline constexpr uint32_t kBodyComplete = 1;  // Request; Body: the last piece
inline constexpr uint32_t kUpgrade = 2;       // Request: a WebSocket handshake that may be accepted
inline constexpr uint32_t kBodyToCome = 4;    // Request
inline constexpr uint32_t kBinary = 1;        // Message, Control
inline constexpr uint32_t kSucceeded = 1;     // Tapped
}  // namespace event_flags

struct Event {
  EventKind kind;
  uint64_t connection;
  uint32_t offset = 0;  // into the block's bytes
  uint32_t head_bytes = 0;
  uint32_t body_bytes = 0;
  uint32_t flags = 0;
  double extra[2] = {0, 0};
};

class EventBlock {
 public:
  static constexpr size_t kMaxEvents = 512;
  static constexpr size_t kBytes = threshold(256 << 10);

  EventBlock() : EventBlock(kBytes) {}
  explicit EventBlock(size_t bytes) : bytes_(std::make_shared_for_overwrite<std::byte[]>(bytes)), capacity_(bytes) {
    events_.reserve(kMaxEvents);
  }

  bool has_room(size_t bytes) const {
    const size_t at = aligned(used_);  // beyond the capacity where that is no multiple of 8
    return events_.size() < kMaxEvents && at <= capacity_ && capacity_ - at >= bytes;
  }
  bool empty() const { return events_.empty(); }
  // Whether it is one of those that are kept to be used again.
  bool is_standard() const { return capacity_ == kBytes; }

  // Room for an event's bytes, which has_room() has confirmed; `event.offset` says where they are.
  std::byte* add(Event event, size_t bytes) {
    const size_t at = aligned(used_);
    event.offset = static_cast<uint32_t>(at);
    events_.push_back(event);
    used_ = at + bytes;
    cost_ += cost_of(bytes);
    return bytes_.get() + at;
  }

  void clear() {
    events_.clear();
    used_ = 0;
    cost_ = 0;
  }

  // What an event of so many bytes takes, and all those of this block.
  static constexpr size_t cost_of(size_t bytes) { return bytes + sizeof(Event); }
  size_t cost() const { return cost_; }

  const std::vector<Event>& events() const { return events_; }
  // Shared with the ArrayBuffer over it.
  const std::shared_ptr<std::byte[]>& memory() const { return bytes_; }
  size_t capacity() const { return capacity_; }

 private:
  // Tensors in a message can then be looked at where they are.
  static constexpr size_t aligned(size_t at) { return (at + 7) & ~size_t{7}; }

  std::vector<Event> events_;
  std::shared_ptr<std::byte[]> bytes_;
  size_t capacity_;
  size_t used_ = 0;
  size_t cost_ = 0;
};

}  // namespace headrace
