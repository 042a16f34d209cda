// Which batch a step joins and which runs next: examples, and rules that hold for random queues.
#include "batch_policy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace headrace {
namespace {

constexpr Nanos kDelay = 100;

Forming forming(uint32_t size, uint32_t capacity, Rank rank, Nanos oldest) {
  return {nullptr, size, capacity, rank, oldest, nullptr};
}

TEST_CASE("priority 0 is the default rank, 1 the best, and the rest keep their order") {
  CHECK(rank_of(0) == kDefaultRank);
  CHECK(rank_of(1) == 1);
  CHECK(rank_of(1) < rank_of(2));
  CHECK(rank_of(255) == 255);
  CHECK(rank_of(1'000'000) == 255);
}

TEST_CASE("nothing forms: nothing runs and nothing is waited for") {
  const Decision decision = next_dispatch({}, 1000, kDelay);
  CHECK_FALSE(decision.run);
  CHECK_FALSE(decision.wait_until);
}

TEST_CASE("without a delay whatever forms runs at once, and says so") {
  const std::vector<Forming> queue{forming(1, 8, 128, 1000)};
  const Decision decision = next_dispatch(queue, 1000, 0);
  REQUIRE(decision.run);
  CHECK(decision.run->reason == DispatchReason::Idle);
}

TEST_CASE("a batch that is not full waits until its oldest row is as old as the delay") {
  const std::vector<Forming> queue{forming(1, 8, 128, 1000)};
  CHECK(next_dispatch(queue, 1099, kDelay).wait_until == 1100);
  const Decision due = next_dispatch(queue, 1100, kDelay);
  REQUIRE(due.run);
  CHECK(due.run->reason == DispatchReason::Delay);
  CHECK_FALSE(due.wait_until);
}

TEST_CASE("a full batch does not wait") {
  const std::vector<Forming> queue{forming(8, 8, 128, 1000)};
  const Decision decision = next_dispatch(queue, 1000, kDelay);
  REQUIRE(decision.run);
  CHECK(decision.run->reason == DispatchReason::Full);
}

TEST_CASE("a full batch goes before a better-ranked one that still waits") {
  const std::vector<Forming> queue{forming(1, 8, 1, 1000), forming(8, 8, 200, 1000)};
  CHECK(next_dispatch(queue, 1000, kDelay).run->index == 1);
}

TEST_CASE("a step joins the newest batch with room and equal shapes") {
  const std::vector<Shape> small{{3}};
  const std::vector<Shape> large{{4}};
  std::vector<Forming> queue{forming(1, 2, 128, 0), forming(1, 2, 128, 0), forming(2, 2, 128, 0)};
  queue[0].shapes = &small;
  queue[1].shapes = &large;
  queue[2].shapes = &small;
  CHECK(choose_forming(queue, &small) == 0);
  CHECK(choose_forming(queue, &large) == 1);
  const std::vector<Shape> other{{5}};
  CHECK_FALSE(choose_forming(queue, &other));
}

struct RandomQueue {
  std::vector<std::vector<Shape>> shapes{{{1}}, {{2}}, {{2}, {3}}};
  std::vector<Forming> forming;
  Nanos now = 0;
  Nanos max_delay = 0;
};

RandomQueue random_queue(std::mt19937& random) {
  const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<uint32_t>(bound)); };
  RandomQueue queue;
  queue.now = 1000 + below(50);
  queue.max_delay = below(3) == 0 ? 0 : below(40);
  for (int i = below(6); i-- > 0;) {
    const auto capacity = static_cast<uint32_t>(1 + below(4));
    const auto size = 1 + static_cast<uint32_t>(below(static_cast<int>(capacity)));
    queue.forming.push_back(forming(size, capacity, static_cast<Rank>(126 + below(4)), 980 + below(60)));
    queue.forming.back().shapes = &queue.shapes[static_cast<size_t>(below(3))];
  }
  return queue;
}

TEST_CASE("random queues: the best of the runnable batches runs, else the earliest due time is waited for") {
  std::mt19937 random(20240611);
  for (int round = 0; round < 20'000; ++round) {
    CAPTURE(round);
    const RandomQueue queue = random_queue(random);
    const auto runnable = [&](const Forming& f) {
      return f.full() || queue.max_delay == 0 || f.oldest + queue.max_delay <= queue.now;
    };
    const Decision decision = next_dispatch(queue.forming, queue.now, queue.max_delay);
    CHECK_FALSE((decision.run && decision.wait_until));
    if (decision.run) {
      const Forming& chosen = queue.forming[decision.run->index];
      REQUIRE(runnable(chosen));
      CHECK((decision.run->reason == DispatchReason::Full) == chosen.full());
      for (const Forming& other : queue.forming) {
        if (!runnable(other)) continue;
        CHECK(chosen.rank <= other.rank);
        if (chosen.rank == other.rank) CHECK(chosen.oldest <= other.oldest);
      }
      continue;
    }
    CHECK(decision.wait_until.has_value() == !queue.forming.empty());
    for (const Forming& other : queue.forming) {
      CHECK_FALSE(runnable(other));
      CHECK(*decision.wait_until <= other.oldest + queue.max_delay);
      CHECK(*decision.wait_until > queue.now);
    }
  }
}

TEST_CASE("random queues: a step never joins a full batch or one of other shapes, and finds one where there is one") {
  std::mt19937 random(4711);
  for (int round = 0; round < 20'000; ++round) {
    CAPTURE(round);
    const RandomQueue queue = random_queue(random);
    const std::vector<Shape>& wanted = queue.shapes[random() % 3];
    const auto fits = [&](const Forming& f) { return !f.full() && *f.shapes == wanted; };
    const std::optional<size_t> found = choose_forming(queue.forming, &wanted);
    if (found) CHECK(fits(queue.forming[*found]));
    CHECK(found.has_value() == std::any_of(queue.forming.begin(), queue.forming.end(), fits));
  }
}

}  // namespace
}  // namespace headrace
