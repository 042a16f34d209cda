// All slots of a run: who is free, when each request was scheduled and sent, and how it ended.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "connection.h"
#include "measurement.h"

namespace headrace::bench {

class Slots final : public Outcomes {
 public:
  /// Slot i is of connection i modulo their number. Both outlive this.
  Slots(std::vector<Connection>& connections, std::size_t count, Measurement& measurement)
      : connections_(connections), measurement_(measurement), slots_(count) {}

  std::size_t size() const { return slots_.size(); }
  std::size_t inFlight() const { return inFlight_; }
  bool isLost(std::size_t slot) const { return !connectionOf(slot).isOpen(); }

  /// Puts a request on its way. Where the slot's connection is lost, that is an error, and the slot stays free.
  void start(std::size_t slot, Nanos scheduled, Nanos at);

  void answered(std::size_t slot, Nanos at, const std::string& problem) override;
  void lost(const std::vector<std::size_t>& slots, const std::string& problem) override;

  /// Slots that were answered, and connections that owe bytes, since these were last cleared.
  std::vector<std::size_t>& freed() { return freed_; }
  std::vector<Connection*>& dirty() { return dirty_; }

 private:
  struct Slot {
    Nanos scheduled = 0;
    Nanos started = 0;
  };

  Connection& connectionOf(std::size_t slot) const { return connections_[slot % connections_.size()]; }

  std::vector<Connection>& connections_;
  Measurement& measurement_;
  std::vector<Slot> slots_;
  std::size_t inFlight_ = 0;
  std::vector<std::size_t> freed_;
  std::vector<Connection*> dirty_;
};

}  // namespace headrace::bench
