// Numbers of connections: each open one has a place of its own, and a number that is gone means nothing.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

#include "connection_table.h"

namespace headrace {
namespace {

constexpr unsigned kThread = 1;
constexpr unsigned kThreads = 3;

struct Named {
  uint64_t id;
};
using Table = ConnectionTable<Named>;

Named& add(Table& table) {
  return table.add([](uint64_t id) { return std::make_unique<Named>(Named{id}); });
}

TEST_CASE("a number finds its connection until that is taken, and never another") {
  Table table(kThread, kThreads);
  std::mt19937 random(7);
  std::map<uint64_t, Named*> open;
  std::set<uint64_t> gone;
  for (int step = 0; step < 20'000; ++step) {
    if (open.empty() || random() % 2 == 0) {
      Named& made = add(table);
      CHECK(gone.count(made.id) == 0);
      CHECK(made.id % kThreads == kThread);
      CHECK(open.emplace(made.id, &made).second);
    } else {
      auto chosen = open.begin();
      std::advance(chosen, random() % std::min<size_t>(open.size(), 8));
      CHECK(table.take(chosen->first).get() == chosen->second);
      CHECK(table.take(chosen->first) == nullptr);
      gone.insert(chosen->first);
      open.erase(chosen);
    }
    if (step % 1000 != 0) continue;
    std::set<uint64_t> places;
    for (const auto& [id, connection] : open) {
      CHECK(table.find(id) == connection);
      places.insert(id % (Table::kSlots * kThreads));
    }
    CHECK(places.size() == open.size());
    CHECK(table.all().size() == open.size());
    for (const uint64_t id : gone) CHECK(table.find(id) == nullptr);
  }
  CHECK(table.empty() == open.empty());
}

TEST_CASE("places that were left are used again") {
  Table table(kThread, kThreads);
  uint64_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    Named& one = add(table);
    const uint64_t first = one.id;
    Named& other = add(table);
    most = std::max(most, other.id / kThreads % Table::kSlots);
    table.take(first);
    table.take(other.id);
  }
  CHECK(most == 1);
}

TEST_CASE("a number that was never given finds nothing") {
  Table table(kThread, kThreads);
  CHECK(table.find(0) == nullptr);
  CHECK(table.find(UINT64_MAX) == nullptr);
  const uint64_t id = add(table).id;
  CHECK(table.find(id + Table::kSlots * kThreads) == nullptr);
}

}  // namespace
}  // namespace headrace
