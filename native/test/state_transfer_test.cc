// States as bytes: what comes out goes in again, and nothing else does.
#include <doctest/doctest.h>

#include "client.h"
#include "engine.h"
#include "served.h"

namespace headrace {
namespace {

using testing::Client;
using testing::ending;
using testing::holding;
using testing::Served;

using Floats = std::vector<float>;

Floats four(float value) { return Floats(4, value); }

TEST_CASE("an exported state continues under another name, in another scheduler, and where it came from") {
  Served one("accumulator");
  Served two("accumulator", {.lanes = 1});
  Client here(one);
  Client there(two);
  here.step(one.of("a"), four(5));
  std::vector<std::byte> bytes;
  REQUIRE(one.scheduler.export_state("a", bytes) == Code::Ok);
  CHECK(two.scheduler.import_state("b", bytes) == Code::Ok);
  CHECK(there.step(two.of("b"), four(1)) == four(6));
  CHECK(here.step(one.of("a"), four(2)) == four(7));
  CHECK(one.scheduler.import_state("a", bytes) == Code::Ok);
  CHECK(here.step(one.of("a"), four(3)) == four(8));
  CHECK(one.scheduler.stats().live_states == 1);
}

TEST_CASE("a name without a state has nothing to export") {
  Served served("accumulator");
  Client client(served);
  std::vector<std::byte> bytes;
  CHECK(served.scheduler.export_state("nobody", bytes) == Code::NotFound);
  client.step(ending(served.of("ended")), four(1));
  CHECK(served.scheduler.export_state("ended", bytes) == Code::NotFound);
  client.step(holding(served.of("rolled back")), four(1), false);
  CHECK(served.scheduler.export_state("rolled back", bytes) == Code::NotFound);
}

TEST_CASE("a busy state is neither exported nor overwritten") {
  Served served("accumulator");
  Client client(served);
  const StepSpec a = served.of("a");
  client.step(a, four(1));
  std::vector<std::byte> bytes;
  REQUIRE(served.scheduler.export_state("a", bytes) == Code::Ok);
  const uint32_t step = client.submit(a, four(1));
  std::vector<std::byte> ignored;
  CHECK(served.scheduler.export_state("a", ignored) == Code::Unavailable);
  CHECK(served.scheduler.import_state("a", bytes) == Code::Unavailable);
  CHECK(client.result(step) == four(2));
}

TEST_CASE("bytes of another model, version or length are refused, and leave no state") {
  Served served("accumulator");
  Served other("ledger");
  Client client(served);
  client.step(served.of("a"), four(1));
  std::vector<std::byte> bytes;
  REQUIRE(served.scheduler.export_state("a", bytes) == Code::Ok);
  CHECK(other.scheduler.import_state("b", bytes) == Code::InvalidArgument);
  for (const size_t flipped : {size_t{0}, size_t{4}, size_t{8}, size_t{16}}) {
    std::vector<std::byte> wrong = bytes;
    wrong[flipped] ^= std::byte{1};
    CHECK(served.scheduler.import_state("b", wrong) == Code::InvalidArgument);
  }
  for (const size_t length : {size_t{0}, size_t{23}, bytes.size() - 1}) {
    CHECK(served.scheduler.import_state("b", {bytes.data(), length}) == Code::InvalidArgument);
  }
  bytes.push_back(std::byte{0});
  CHECK(served.scheduler.import_state("b", bytes) == Code::InvalidArgument);
  CHECK(served.scheduler.stats().live_states == 1);
}

TEST_CASE("an import counts against the limit of states and ends with the close") {
  Served served("accumulator", {.max_states = 1});
  Client client(served);
  client.step(served.of("a"), four(1));
  std::vector<std::byte> bytes;
  REQUIRE(served.scheduler.export_state("a", bytes) == Code::Ok);
  CHECK(served.scheduler.import_state("b", bytes) == Code::ResourceExhausted);
  served.scheduler.close(true);
  CHECK(served.scheduler.import_state("a", bytes) == Code::Unavailable);
}

TEST_CASE("an expired state is not exported, though nobody swept") {
  ModelConfig config = testing::model("accumulator");
  config.state_ttl_millis = 0;
  config.execution = Execution::Lanes;
  config.lanes = 1;
  Engine engine(config);
  Scheduler& scheduler = engine.scheduler();
  std::vector<std::byte> bytes;
  Served donor("accumulator");
  Client client(donor);
  client.step(donor.of("a"), four(1));
  REQUIRE(donor.scheduler.export_state("a", bytes) == Code::Ok);
  REQUIRE(scheduler.import_state("a", bytes) == Code::Ok);
  testing::let_pass(1000);
  CHECK(scheduler.export_state("a", bytes) == Code::NotFound);
  CHECK(scheduler.take_evictions().size() == 1);
}

TEST_CASE("limits that are for ever do not overflow into none") {
  ModelConfig config = testing::model("accumulator");
  config.state_ttl_millis = INT64_MAX;
  config.max_delay_micros = 0;
  Engine engine(config);
  Served donor("accumulator");
  Client client(donor);
  client.step(donor.of("a"), four(1));
  std::vector<std::byte> bytes;
  REQUIRE(donor.scheduler.export_state("a", bytes) == Code::Ok);
  REQUIRE(engine.scheduler().import_state("a", bytes) == Code::Ok);
  testing::let_pass(1000);
  engine.scheduler().sweep();
  CHECK(engine.scheduler().stats().live_states == 1);
}

}  // namespace
}  // namespace headrace
