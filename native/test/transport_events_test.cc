// Blocks of events: what has room in them.
#include <doctest/doctest.h>

#include "events.h"

namespace headrace {
namespace {

TEST_CASE("a block of any size takes what has room in it, and nothing more") {
  for (size_t capacity = EventBlock::kBytes - 8; capacity < EventBlock::kBytes + 9; ++capacity) {
    for (size_t left = 0; left < 17; ++left) {
      EventBlock block(capacity);
      REQUIRE(block.has_room(capacity - left));
      block.add({.kind = EventKind::Message, .connection = 1}, capacity - left);
      size_t fits = 0;
      while (fits < 32 && block.has_room(fits + 1)) ++fits;
      // Events begin at multiples of 8.
      const size_t at = (capacity - left + 7) / 8 * 8;
      CHECK(fits == (at < capacity ? capacity - at : 0));
      CHECK(block.has_room(0) == (at <= capacity));
    }
  }
}

TEST_CASE("a block takes so many events, also of no bytes") {
  EventBlock block;
  for (size_t i = 0; i < EventBlock::kMaxEvents; ++i) {
    REQUIRE(block.has_room(0));
    block.add({.kind = EventKind::Aborted, .connection = i}, 0);
  }
  CHECK_FALSE(block.has_room(0));
  block.clear();
  CHECK(block.has_room(EventBlock::kBytes));
}

}  // namespace
}  // namespace headrace
