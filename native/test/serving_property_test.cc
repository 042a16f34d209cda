// Many clients at once, over raw WebSockets and HTTP, on several I/O threads and lanes: every stream's answers are
// those of a sequential model, bit for bit, whatever came between its steps.
//
// HEADRACE_SEED=n repeats one run; a failure prints its seed.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <random>
#include <thread>

#include "serving_harness.h"

namespace headrace {
namespace {

using testing::ledger;
using testing::ledger_request;
using testing::ledger_row;
using testing::ledger_spec;
using testing::ledger_step;
using testing::masked_frame;
using testing::NetClient;
using testing::ServingHarness;

constexpr uint32_t kStreams = 7;
constexpr uint32_t kSteps = HEADRACE_SANITIZED ? 400 : 3000;
constexpr uint32_t kWindow = 60;

// Sends ahead as it likes; the answers of each stream must be in order.
bool run_raw(NetClient& client, std::mt19937 random) {
  std::vector<uint32_t> states(kStreams);
  std::vector<std::deque<uint32_t>> sent(kStreams);
  uint32_t under_way = 0;
  for (uint32_t step = 0; step < kSteps || under_way > 0;) {
    std::string frames;
    while (step < kSteps && under_way < kWindow && random() % 8 != 0) {
      const uint32_t number = random() % kStreams;
      const uint32_t x = random() % 60'000;
      frames += masked_frame(0x82, std::string(reinterpret_cast<const char*>(&number), 4) + ledger_row(x));
      sent[number].push_back(x);
      ++under_way;
      ++step;
    }
    if (!frames.empty()) client.send(frames);
    if (under_way == 0) continue;
    const std::string answer = client.frame();
    uint32_t number = kStreams;
    if (answer.size() == 13) std::memcpy(&number, answer.data() + 1, 4);
    if (number >= kStreams || sent[number].empty()) return false;
    states[number] = ledger_step(states[number], sent[number].front());
    sent[number].pop_front();
    --under_way;
    if (answer.substr(5) != ledger_row(states[number])) return false;
  }
  return true;
}

bool run_http(NetClient& client, std::mt19937 random, uint32_t first_id) {
  std::vector<uint32_t> states(kStreams);
  for (uint32_t step = 0; step < kSteps / 4; ++step) {
    const uint32_t stream = random() % kStreams;
    const uint32_t x = random() % 60'000;
    const bool starts = random() % 10 == 0;
    const bool ends = random() % 10 == 0;
    std::string parameters = "{\"sequence_id\":" + std::to_string(first_id + stream);
    if (starts) parameters += ",\"sequence_start\":true";
    if (ends) parameters += ",\"sequence_end\":true";
    parameters += ",\"binary_data_output\":true}";
    client.send(ledger_request(x, parameters, random() % 2 == 0));
    if (starts) states[stream] = 0;
    states[stream] = ledger_step(states[stream], x);
    if (!client.answer().ends_with(ledger_row(states[stream]))) return false;
    if (ends) states[stream] = 0;
  }
  return true;
}

void run_all(const ModelConfig& config, unsigned threads, uint32_t seed) {
  ServingHarness served(config, threads);
  served.serve_infer(ledger_spec(), {"/v2/models/ledger/infer"});
  std::vector<std::unique_ptr<NetClient>> clients;
  std::vector<std::thread> running;
  std::atomic<int> failed = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<NetClient>(served.harness.port));
    served.open_raw(*clients.back(), {.base = "raw" + std::to_string(i), .streams = kStreams, .max_in_flight = 20});
  }
  for (uint32_t i = 0; i < 4; ++i) clients.push_back(std::make_unique<NetClient>(served.harness.port));
  for (uint32_t i = 0; i < clients.size(); ++i) {
    running.emplace_back([&, i] {
      const std::mt19937 random(seed * 100 + i);
      const bool is_right = i < 4 ? run_raw(*clients[i], random) : run_http(*clients[i], random, 1000 * i);
      if (!is_right) ++failed;
    });
  }
  for (std::thread& thread : running) thread.join();
  CHECK(failed == 0);
  CHECK(served.under_way() == 0);
  CHECK(served.harness.is_silent());
  CHECK(served.counts().requests == 4 * (kSteps / 4));
}

TEST_CASE("streams of many clients do not mix") {
  const char* const given = std::getenv("HEADRACE_SEED");
  const uint32_t seed = given != nullptr ? static_cast<uint32_t>(std::atoi(given)) : std::random_device()() % 100'000;
  INFO("HEADRACE_SEED=" << seed);
  SUBCASE("one thread, which runs the model") { run_all(ledger(), 1, seed); }
  SUBCASE("three threads, each of which runs it") { run_all(ledger(), 3, seed); }
  SUBCASE("one thread, and lanes") { run_all(ledger(Execution::Lanes, 2), 1, seed); }
  SUBCASE("three threads, and lanes") { run_all(ledger(Execution::Lanes, 2), 3, seed); }
}

}  // namespace
}  // namespace headrace
