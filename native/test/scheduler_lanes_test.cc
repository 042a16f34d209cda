// Several lanes: which of them is woken, and that no step is left lying while one is idle.
#include <doctest/doctest.h>

#include <thread>

#include "client.h"
#include "served.h"

namespace headrace {
namespace {

using testing::Client;
using testing::Served;

using Floats = std::vector<float>;

Floats four(float value) { return Floats(4, value); }

TEST_CASE("a batch that ends lets several others in: the idle lane takes one without being kicked") {
  Served served("accumulator", {.lanes = 2, .max_batch = 2});
  Client client(served);
  const StepSpec a = served.of("a");
  const StepSpec b = served.of("b");
  served.device.hold_running();
  std::vector<uint32_t> steps{client.submit(a, four(1)), client.submit(b, four(1))};
  served.scheduler.kick();
  served.device.wait_held();
  // Behind the running two, and one that is never kicked: two batches form when the two are done.
  steps.push_back(client.submit(a, four(1)));
  steps.push_back(client.submit(b, four(1)));
  steps.push_back(client.submit<float>({}, four(1)));
  // The next run is held again, so whatever else there is must be the other lane's.
  served.device.let_go(2);
  served.device.wait_held();
  while (client.finished().size() < 3) client.drain();
  served.device.let_go();
  for (const uint32_t step : steps) CHECK(client.outcome(step) == Code::Ok);
  CHECK(served.scheduler.stats().batches == 3);
}

TEST_CASE("a kick wakes as many lanes as there are batches") {
  Served served("accumulator", {.lanes = 2, .max_batch = 1});
  Client client(served);
  served.device.hold_running();
  const uint32_t one = client.submit<float>({}, four(1));
  const uint32_t two = client.submit<float>({}, four(2));
  served.scheduler.kick();
  served.device.wait_held();
  while (client.finished().empty()) client.drain();
  served.device.let_go();
  CHECK(client.result(one) == four(1));
  CHECK(client.result(two) == four(2));
}

TEST_CASE("a delayed batch runs as soon as it is full") {
  Served served("accumulator", {.lanes = 2, .max_batch = 3, .max_delay = Nanos{3'600'000'000'000}});
  Client client(served);
  std::vector<uint32_t> steps;
  for (int i = 0; i < 3; ++i) {
    steps.push_back(client.submit<float>({}, four(1)));
    served.scheduler.kick();
  }
  for (const uint32_t step : steps) CHECK(client.result(step) == four(1));
  CHECK(served.scheduler.stats().dispatched_full == 1);
}

TEST_CASE("another lane takes what the first has no time for") {
  Served served("accumulator", {.lanes = 1, .max_batch = 1});
  Client client(served);
  served.device.hold_running();
  const uint32_t one = client.submit<float>({}, four(1));
  served.scheduler.kick();
  served.device.wait_held();
  const uint32_t two = client.submit<float>({}, four(2));
  served.scheduler.set_lanes(2);
  while (client.finished().empty()) client.drain();
  CHECK(client.finished().front() == two);
  served.device.let_go();
  CHECK(client.result(one) == four(1));
  CHECK(client.result(two) == four(2));
}

TEST_CASE("a lane that is too much finishes its batch and ends; the others are still woken") {
  Served served("accumulator", {.lanes = 4, .max_batch = 1});
  Client client(served);
  served.scheduler.set_lanes(1);
  while (served.scheduler.stats().idle_lanes != 1) std::this_thread::yield();
  for (int i = 1; i <= 20; ++i) CHECK(client.step({}, four(1)) == four(1));
  served.scheduler.set_lanes(3);
  while (served.scheduler.stats().idle_lanes != 3) std::this_thread::yield();
  for (int i = 1; i <= 20; ++i) CHECK(client.step({}, four(1)) == four(1));
}

TEST_CASE("without lanes the submitter runs what is left") {
  Served served("accumulator", {.lanes = 2, .max_batch = 1});
  Client client(served);
  served.device.hold_running();
  std::vector<uint32_t> steps;
  for (int i = 0; i < 6; ++i) steps.push_back(client.submit(served.of("a"), four(1)));
  served.scheduler.kick();
  served.device.wait_held();
  std::thread changer([&] { served.scheduler.set_lanes(0); });
  served.device.let_go();
  changer.join();
  while (served.scheduler.run_inline(kForever, nullptr)) {
  }
  for (int i = 0; i < 6; ++i) CHECK(client.result(steps[i]) == four(static_cast<float>(i + 1)));
}

TEST_CASE("lanes do not change once the scheduler closes") {
  Served served("accumulator", {.lanes = 2});
  served.scheduler.close(true);
  CHECK_THROWS_AS(served.scheduler.set_lanes(1), Error);
  served.scheduler.close(true);
}

TEST_CASE("what the last batch of a lane that ends has let in is run by one that stays") {
  // Which lane has the first batch, and when the other hears of it, is chance.
  for (int attempt = 0; attempt < 30; ++attempt) {
    Served served("accumulator", {.lanes = 2});
    Client client(served);
    const StepSpec a = served.of("a");
    served.device.hold_running();
    const uint32_t first = client.submit(a, four(1));
    const uint32_t second = client.submit(a, four(10));
    served.scheduler.kick();
    served.device.wait_held();
    std::thread fewer([&] { served.scheduler.set_lanes(1); });
    for (int i = 0; i < 2000; ++i) std::this_thread::yield();
    served.device.let_go();
    fewer.join();
    while (client.finished().size() < 2) client.drain();
    CHECK(client.result(first) == four(1));
    CHECK(client.result(second) == four(11));
  }
}

}  // namespace
}  // namespace headrace
