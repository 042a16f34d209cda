#include "slots.h"

#include <algorithm>

namespace headrace::bench {

void Slots::start(std::size_t slot, Nanos scheduled, Nanos at) {
  Connection& connection = connectionOf(slot);
  if (!connection.isOpen()) return measurement_.fail("the connection was lost");
  slots_[slot] = {.scheduled = scheduled, .started = at};
  inFlight_ += 1;
  connection.start(slot);
  if (connection.isDirty) return;
  connection.isDirty = true;
  dirty_.push_back(&connection);
}

void Slots::answered(std::size_t slot, Nanos at, const std::string& problem) {
  inFlight_ -= 1;
  freed_.push_back(slot);
  if (!problem.empty()) return measurement_.fail(problem);
  measurement_.answer(slots_[slot].scheduled, slots_[slot].started, at);
}

void Slots::lost(const std::vector<std::size_t>& slots, const std::string& problem) {
  inFlight_ -= slots.size();
  measurement_.fail(problem, std::max<std::size_t>(1, slots.size()));
}

}  // namespace headrace::bench
