// Several lanes: which of them is woken, and that no step is left lying while one is idle.
#include <doctest/doctest.h>

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

}  // namespace
}  // namespace headrace
