// The connections of one I/O thread, by number.
//
// A number is (generation * kSlots + slot) * threads + thread. So it says which thread a connection belongs to; whoever
// keeps something for each connection keeps it in an array, by number % (kSlots * threads); and a number of a
// connection that is gone is never that of another.
//
// Used by its thread alone.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "status.h"

namespace headrace {

template <typename Connection>
class ConnectionTable {
 public:
  // At most so many at a time. The mirror of CONNECTION_SLOTS in src/engine/server-surface.ts.
  static constexpr uint64_t kSlots = uint64_t{1} << 20;

  ConnectionTable(unsigned thread, unsigned threads) : thread_(thread), threads_(threads) {}

  bool empty() const { return size_ == 0; }
  bool is_full() const { return size_ == kSlots; }

  // Adds what `make` makes of its number.
  template <typename Make>
  Connection& add(Make&& make) {
    if (is_full()) bug("a thread took more connections than it has numbers for");
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const uint32_t index = free_.back();
    Slot& slot = slots_[index];
    slot.connection = make((slot.generation * kSlots + index) * threads_ + thread_);
    free_.pop_back();
    ++size_;
    return *slot.connection;
  }

  // Null where it is gone.
  Connection* find(uint64_t id) const {
    const uint64_t place = id / threads_;
    const uint64_t index = place % kSlots;
    if (index >= slots_.size() || slots_[index].generation != place / kSlots) return nullptr;
    return slots_[index].connection.get();
  }

  // Gives it away; null where it is gone.
  std::unique_ptr<Connection> take(uint64_t id) {
    if (find(id) == nullptr) return nullptr;
    const auto index = static_cast<uint32_t>(id / threads_ % kSlots);
    Slot& slot = slots_[index];
    ++slot.generation;
    free_.push_back(index);
    --size_;
    return std::move(slot.connection);
  }

  // All of them, for a loop in which some may go.
  std::vector<Connection*> all() const {
    std::vector<Connection*> connections;
    connections.reserve(size_);
    for (const Slot& slot : slots_) {
      if (slot.connection) connections.push_back(slot.connection.get());
    }
    return connections;
  }

 private:
  struct Slot {
    std::unique_ptr<Connection> connection;
    uint64_t generation = 0;
  };

  const unsigned thread_;
  const unsigned threads_;
  std::vector<Slot> slots_;
  // The one that was freed last is used first: numbers stay low.
  std::vector<uint32_t> free_;
  size_t size_ = 0;
};

}  // namespace headrace
