// The table of states: life, limits and memory. Time is a number here.
#include "state_store.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "gate_device.h"
#include "request.h"

namespace headrace {
namespace {

using testing::GateDevice;

constexpr Nanos kTtl = 1000;

class Store {
 public:
  explicit Store(uint32_t max_states = 4, EvictPolicy evict = EvictPolicy::Refuse)
      : store({16, max_states, kTtl, evict}, device_) {}

  // A whole step of a state id that ends at `now`.
  Code step(const std::string& name, Nanos now, bool end = false) {
    StateEntry& entry = store.acquire(name);
    const Code code = store.reserve(entry, now);
    if (code == Code::Ok) store.commit(entry, entry.stream, end, now);
    store.release(entry);
    return code;
  }
  bool has(const std::string& name) {
    const StateEntry* entry = store.find(name);
    return entry != nullptr && entry->record != nullptr;
  }
  std::vector<std::string> evicted(EvictReason reason) {
    std::vector<std::string> names;
    for (const Eviction& eviction : store.take_evictions()) {
      if (eviction.reason == reason) names.push_back(eviction.name);
    }
    return names;
  }

 private:
  GateDevice device_;

 public:
  StateStore store;
};

TEST_CASE("a state is made by its first step and freed by its last") {
  Store t;
  CHECK(t.step("a", 1) == Code::Ok);
  CHECK(t.has("a"));
  CHECK(t.store.live() == 1);
  CHECK(t.step("a", 2, true) == Code::Ok);
  CHECK(t.store.live() == 0);
  CHECK(t.store.find("a") == nullptr);
}

TEST_CASE("full: a new state id is refused, a known one is not, and a freed place is free") {
  Store t(2);
  CHECK(t.step("a", 1) == Code::Ok);
  CHECK(t.step("b", 1) == Code::Ok);
  CHECK(t.step("c", 1) == Code::ResourceExhausted);
  CHECK(t.store.find("c") == nullptr);
  CHECK(t.step("a", 2) == Code::Ok);
  CHECK(t.step("b", 2, true) == Code::Ok);
  CHECK(t.step("c", 2) == Code::Ok);
  CHECK(t.store.evicted() == 0);
}

TEST_CASE("full, but something has expired: that makes room") {
  Store t(1);
  CHECK(t.step("a", 1) == Code::Ok);
  CHECK(t.step("b", 1 + kTtl) == Code::ResourceExhausted);
  CHECK(t.step("b", 2 + kTtl) == Code::Ok);
  CHECK(t.evicted(EvictReason::Ttl) == std::vector<std::string>{"a"});
}

TEST_CASE("lru: the idle state stepped longest ago goes, and is reported") {
  Store t(2, EvictPolicy::Lru);
  t.step("a", 1);
  t.step("b", 2);
  t.step("a", 3);
  CHECK(t.step("c", 4) == Code::Ok);
  CHECK(t.evicted(EvictReason::Lru) == std::vector<std::string>{"b"});
  CHECK(t.has("a"));
  CHECK(t.store.evicted() == 1);
  CHECK(t.store.take_evictions().empty());
}

TEST_CASE("lru never takes a state that has a step under way") {
  Store t(1, EvictPolicy::Lru);
  StateEntry& busy = t.store.acquire("busy");
  Request step;
  REQUIRE(t.store.reserve(busy, 1) == Code::Ok);
  busy.active = &step;
  CHECK(t.step("other", 2) == Code::ResourceExhausted);
  busy.active = nullptr;
  t.store.commit(busy, busy.stream, false, 3);
  t.store.release(busy);
  CHECK(t.step("other", 4) == Code::Ok);
}

TEST_CASE("ttl: a sweep frees what is older, counted from the last step, and nothing that is busy") {
  Store t;
  t.step("a", 0);
  t.step("b", 0);
  t.step("a", 10);
  Request step;
  StateEntry& busy = t.store.acquire("busy");
  REQUIRE(t.store.reserve(busy, 0) == Code::Ok);
  busy.active = &step;
  t.store.sweep(kTtl);
  CHECK(t.store.live() == 3);
  t.store.sweep(kTtl + 1);
  CHECK(t.evicted(EvictReason::Ttl) == std::vector<std::string>{"b"});
  t.store.sweep(kTtl + 11);
  CHECK(t.evicted(EvictReason::Ttl) == std::vector<std::string>{"a"});
  CHECK(t.store.live() == 1);
  busy.active = nullptr;
  t.store.commit(busy, busy.stream, true, 1);
  t.store.release(busy);
}

TEST_CASE("an expired state that nobody swept begins afresh, and that is reported") {
  Store t;
  t.step("a", 0);
  StateEntry& entry = t.store.acquire("a");
  CHECK(t.store.reserve(entry, kTtl) == Code::Ok);
  CHECK(entry.committed);
  CHECK(t.store.reserve(entry, kTtl + 1) == Code::Ok);
  CHECK_FALSE(entry.committed);
  CHECK(t.evicted(EvictReason::Ttl) == std::vector<std::string>{"a"});
  t.store.commit(entry, entry.stream, false, kTtl + 1);
  t.store.release(entry);
  CHECK(t.store.live() == 1);
}

TEST_CASE("memory is reused: 100,000 streams one after another take what one takes") {
  Store t;
  t.step("first", 0, true);
  const size_t bytes = t.store.allocated_bytes();
  for (int i = 0; i < 100'000; ++i) t.step("stream-" + std::to_string(i), i, true);
  CHECK(t.store.allocated_bytes() == bytes);
  CHECK(t.store.live() == 0);
  CHECK(t.store.acquire("last").key <= 1);
}

TEST_CASE("records do not overlap, and stay where they are while more are made") {
  Store t(100'000);
  std::vector<std::byte*> records;
  for (int i = 0; i < 40'000; ++i) {
    StateEntry& entry = t.store.acquire(std::to_string(i));
    REQUIRE(t.store.reserve(entry, 0) == Code::Ok);
    records.push_back(entry.record);
  }
  CHECK(t.store.find("0")->record == records[0]);
  std::sort(records.begin(), records.end());
  bool apart = true;
  for (size_t i = 1; i < records.size(); ++i) apart = apart && records[i] - records[i - 1] >= 16;
  CHECK(apart);
}

TEST_CASE("a pin keeps the key of a name without a state; the last reference frees it for others") {
  Store t;
  StateEntry& pinned = t.store.acquire("a");
  const uint32_t key = pinned.key;
  t.step("a", 0, true);
  CHECK(t.store.acquire(key) == &pinned);
  t.store.release(pinned);
  t.store.release(pinned);
  CHECK(t.store.acquire(key) == nullptr);
  CHECK(t.store.acquire("b").key == key);
}

TEST_CASE("a failed first step leaves no state, a failed later one leaves the old") {
  Store t;
  StateEntry& entry = t.store.acquire("a");
  REQUIRE(t.store.reserve(entry, 0) == Code::Ok);
  t.store.abandon(entry);
  CHECK(t.store.live() == 0);
  REQUIRE(t.store.reserve(entry, 1) == Code::Ok);
  t.store.commit(entry, entry.stream, false, 1);
  REQUIRE(t.store.reserve(entry, 2) == Code::Ok);
  t.store.abandon(entry);
  CHECK(entry.committed);
  CHECK(t.store.live() == 1);
}

TEST_CASE("dropping frees an idle state now, a busy one with its last step") {
  Store t;
  t.step("idle", 0);
  t.store.drop(*t.store.find("idle"));
  CHECK(t.store.find("idle") == nullptr);
  StateEntry& entry = t.store.acquire("busy");
  Request step;
  REQUIRE(t.store.reserve(entry, 0) == Code::Ok);
  entry.active = &step;
  const uint32_t stream = entry.stream;
  t.store.drop(entry);
  CHECK(t.store.live() == 1);
  entry.active = nullptr;
  t.store.commit(entry, stream, false, 1);
  CHECK(t.store.live() == 0);
  t.store.release(entry);
}

TEST_CASE("no memory for more states: refused, and what there is keeps working") {
  GateDevice device;
  StateStore store({size_t{1} << 20, 100, kTtl, EvictPolicy::Refuse}, device);
  StateEntry& first = store.acquire("first");
  REQUIRE(store.reserve(first, 0) == Code::Ok);
  device.allow(0);
  StateEntry& second = store.acquire("second");
  CHECK(store.reserve(second, 0) == Code::ResourceExhausted);
  CHECK(second.record == nullptr);
  CHECK(store.live() == 1);
  CHECK(store.allocated_bytes() == size_t{1} << 20);
  store.commit(first, first.stream, true, 1);
  CHECK(store.reserve(second, 2) == Code::Ok);
}

TEST_CASE("evictions that nobody asks for do not pile up without end, but are all counted") {
  Store t(1, EvictPolicy::Lru);
  for (int i = 0; i < 100'000; ++i) t.step(std::to_string(i), i);
  CHECK(t.store.evicted() == 99'999);
  CHECK(t.store.take_evictions().size() <= 65'536);
}

}  // namespace
}  // namespace headrace
