// Raw WebSockets that an I/O thread serves by itself, with a real model behind real sockets.
#include <doctest/doctest.h>

#include <semaphore>
#include <thread>

#include "serving_harness.h"

namespace headrace {
namespace {

using testing::ledger;
using testing::ledger_row;
using testing::ledger_step;
using testing::masked_frame;
using testing::model;
using testing::NetClient;
using testing::ServingHarness;
using testing::Told;

constexpr uint8_t kText = 0x81;
constexpr uint8_t kBinary = 0x82;
constexpr uint8_t kClose = 0x88;

std::string number_bytes(uint32_t number) { return {reinterpret_cast<const char*>(&number), sizeof number}; }

std::string frame_of(uint32_t x) { return masked_frame(kBinary, ledger_row(x)); }
std::string answer_of(uint32_t y) { return static_cast<char>(kBinary) + ledger_row(y); }

TEST_CASE("frames are steps of one state, and their answers come in order") {
  for (const Execution execution : {Execution::Inline, Execution::Lanes}) {
    ServingHarness served(ledger(execution, 2));
    NetClient client(served.harness.port);
    served.open_raw(client, {.base = "a"});
    std::string frames;
    for (uint32_t x = 1; x <= 300; ++x) frames += frame_of(x);
    client.send(frames);
    uint32_t state = 0;
    for (uint32_t x = 1; x <= 300; ++x) {
      state = ledger_step(state, x);
      REQUIRE(client.frame() == answer_of(state));
    }
    // Whoever has the same state id goes on with it.
    NetClient other(served.harness.port);
    served.open_raw(other, {.base = "a"});
    other.send(frame_of(7));
    CHECK(other.frame() == answer_of(ledger_step(state, 7)));
  }
}

TEST_CASE("numbered streams have a state each, and each answer its number") {
  ServingHarness served(ledger());
  NetClient client(served.harness.port);
  served.open_raw(client, {.base = "cam", .streams = 40});
  std::string frames;
  for (uint32_t step = 0; step < 5; ++step) {
    for (uint32_t i = 0; i < 40; ++i) frames += masked_frame(kBinary, number_bytes(i) + ledger_row(100 * i + step));
  }
  client.send(frames);
  std::vector<uint32_t> states(40), steps(40);
  for (int i = 0; i < 200; ++i) {
    const std::string frame = client.frame();
    REQUIRE(frame.size() == 13);
    uint32_t number = 0;
    std::memcpy(&number, frame.data() + 1, sizeof number);
    REQUIRE(number < 40);
    states[number] = ledger_step(states[number], 100 * number + steps[number]++);
    CHECK(frame.substr(5) == ledger_row(states[number]));
  }
  CHECK(served.engine->scheduler().stats().live_states == 40);
}

TEST_CASE("what is no ordinary frame is told when all before it is answered, and answered in its place") {
  ServingHarness served(ledger());
  NetClient client(served.harness.port);
  served.open_raw(client, {.base = "a"});
  const std::string held[] = {masked_frame(kText, "{\"open\":1}"), masked_frame(kBinary, "too short"),
                              masked_frame(kBinary, "")};
  uint32_t state = 0;
  for (const std::string& frame : held) {
    client.send(frame_of(1) + frame_of(2) + frame + frame_of(3) + frame_of(4));
    const Told told = served.harness.next();
    CHECK(told.kind == EventKind::Control);
    CHECK((told.flags == event_flags::kBinary) == (frame[0] != static_cast<char>(kText)));
    for (const uint32_t x : {1, 2}) {
      state = ledger_step(state, x);
      CHECK(client.frame() == answer_of(state));
    }
    CHECK(served.harness.is_silent());
    served.with_streams(told.connection, [](Connection& connection, RawStreams& streams) {
      streams.reply(connection, Opcode::text, testing::bytes_of("done"));
      streams.reply(connection, Opcode::text, testing::bytes_of("twice is once"));
    });
    CHECK(client.frame() == static_cast<char>(kText) + std::string("done"));
    for (const uint32_t x : {3, 4}) {
      state = ledger_step(state, x);
      CHECK(client.frame() == answer_of(state));
    }
  }
}

TEST_CASE("the length of each frame says what the open dimension of its row is") {
  ServingHarness served(model("length_ledger"));
  NetClient client(served.harness.port);
  served.open_raw(client, {.base = "a"});
  std::string frames, answers;
  float state = 0;
  for (uint32_t step = 1; step <= 200; ++step) {
    const std::vector<float> row(step % 7 + 1, static_cast<float>(step));
    frames += masked_frame(kBinary, {reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float)});
    state = static_cast<float>(ledger_step(static_cast<uint32_t>(state), step * static_cast<uint32_t>(row.size())));
    answers += static_cast<char>(kBinary);
    answers += std::string(reinterpret_cast<const char*>(&state), sizeof state);
  }
  client.send(frames);
  for (size_t at = 0; at < answers.size(); at += 1 + sizeof state) {
    REQUIRE(client.frame() == answers.substr(at, 1 + sizeof state));
  }
  // Not a whole number of elements: JavaScript says what is wrong.
  client.send(masked_frame(kBinary, "seven b"));
  const Told told = served.harness.next();
  CHECK(told.kind == EventKind::Control);
  CHECK(told.body == "seven b");
}

TEST_CASE("a stream may be closed and opened again, with another state or its old one") {
  ServingHarness served(ledger());
  NetClient client(served.harness.port);
  const uint64_t id = served.open_raw(client, {.base = "s", .streams = 2});
  const auto step = [&](uint32_t x) {
    client.send(masked_frame(kBinary, number_bytes(1) + ledger_row(x)));
    return client.frame().substr(5);
  };
  CHECK(step(5) == ledger_row(5));
  served.with_streams(id, [](Connection&, RawStreams& streams) {
    CHECK_FALSE(streams.open(1, "t", false));
    CHECK(streams.close(1, false));
    CHECK_FALSE(streams.close(1, false));
    CHECK(streams.open(1, "t", false));
    CHECK_FALSE(streams.open(2, "u", false));
  });
  CHECK(step(6) == ledger_row(6));
  served.with_streams(id, [](Connection&, RawStreams& streams) {
    CHECK(streams.close(1, true));
    CHECK(streams.open(1, "s/1", false));
  });
  CHECK(step(7) == ledger_row(ledger_step(5, 7)));
  CHECK(served.engine->scheduler().stats().live_states == 1);
}

TEST_CASE("no more frames are taken than there may be in flight, and none is lost") {
  ServingHarness served(ledger(Execution::Lanes, 1));
  NetClient client(served.harness.port);
  served.open_raw(client, {.base = "a", .max_in_flight = 3});
  std::string frames;
  for (uint32_t x = 0; x < 500; ++x) frames += frame_of(x);
  client.send(frames);
  uint32_t state = 0;
  for (uint32_t x = 0; x < 500; ++x) {
    state = ledger_step(state, x);
    REQUIRE(client.frame() == answer_of(state));
    CHECK(served.under_way() <= 3);
  }
}

TEST_CASE("a client that does not read is not read from, and its answers wait") {
  constexpr uint32_t kFrames = HEADRACE_SANITIZED ? 40'000 : 200'000;
  ServingHarness served(ledger());
  NetClient client(served.harness.port);
  const WebSocketLimits limits{.max_unsent = 64 << 10};
  const uint64_t id = served.open_raw(client, {.base = "a", .max_in_flight = 100}, limits);
  std::thread sender([&] {
    for (uint32_t at = 0; at < kFrames; at += 1000) {
      std::string frames;
      for (uint32_t x = at; x < at + 1000; ++x) frames += frame_of(x % 1000);
      client.send(frames);
    }
  });
  // It sends for a while before anything is read.
  size_t most = 0;
  for (int turn = 0; turn < 2000; ++turn) {
    served.with_streams(id, [&](Connection& connection, RawStreams&) { most = std::max(most, connection.unsent()); });
  }
  uint32_t state = 0;
  bool is_right = true;
  for (uint32_t x = 0; x < kFrames; ++x) {
    state = ledger_step(state, x % 1000);
    is_right = is_right && client.frame() == answer_of(state);
  }
  sender.join();
  CHECK(is_right);
  // A turn's answers come on top of what was too much.
  CHECK(most <= limits.max_unsent + 100 * 16 + (256 << 10));
}

TEST_CASE("a client that dies leaves other streams alone, and its own state where it was named") {
  for (const Execution execution : {Execution::Inline, Execution::Lanes}) {
    ServingHarness served(ledger(execution, 2));
    NetClient other(served.harness.port);
    served.open_raw(other, {.base = "other"});
    uint32_t state = 0;
    for (uint32_t turn = 0; turn < 20; ++turn) {
      NetClient client(served.harness.port);
      const bool owns_state = turn % 2 == 0;
      served.open_raw(client, {.base = owns_state ? "own" : "named", .owns_state = owns_state});
      std::string frames;
      for (uint32_t x = 0; x < 50; ++x) frames += frame_of(x);
      client.send(frames);
      other.send(frame_of(turn));
      state = ledger_step(state, turn);
      CHECK(other.frame() == answer_of(state));
      client.close(true);
      const Told told = served.harness.next();
      CHECK(told.kind == EventKind::Closed);
      CHECK(told.extra == 1006);
    }
    while (served.under_way() > 0) std::this_thread::yield();
    const Stats stats = served.engine->scheduler().stats();
    CHECK(stats.waiting == 0);
    CHECK(stats.live_states <= 2);  // "other", and "named" where any of its steps ran
    CHECK(served.engine->scheduler().stats().running == 0);
  }
}

TEST_CASE("a connection that is to go answers what it has, then closes") {
  ServingHarness served(ledger(Execution::Lanes, 1));
  NetClient client(served.harness.port);
  const uint64_t id = served.open_raw(client, {.base = "a"});
  std::string frames;
  for (uint32_t x = 0; x < 50; ++x) frames += frame_of(x);
  client.send(frames);
  uint32_t state = 0;
  CHECK(client.frame() == answer_of(state));
  served.with_streams(id, [](Connection& connection, RawStreams& streams) { streams.go_away(connection); });
  std::string frame = client.frame();
  uint32_t answered = 1;
  for (; !frame.empty() && frame[0] == static_cast<char>(kBinary); frame = client.frame()) {
    state = ledger_step(state, answered++);
    CHECK(frame == answer_of(state));
  }
  CHECK(frame.substr(0, 3) == std::string("\x88\x03\xe9"));
  CHECK(frame.substr(3) == "UNAVAILABLE: the server is stopping");
  client.send(masked_frame(kClose, frame.substr(1, 2)));
  CHECK(client.at_end());
  while (served.under_way() > 0) std::this_thread::yield();
  CHECK(served.engine->scheduler().stats().succeeded == answered);
}

TEST_CASE("a frame that has no answer when the server stops: its client hears why, after the answers before") {
  ServingHarness served(ledger());
  NetClient client(served.harness.port);
  served.open_raw(client, {.base = "a"});
  client.send(frame_of(1) + masked_frame(kText, "{\"open\":1}") + frame_of(2));
  CHECK(served.harness.next().kind == EventKind::Control);
  served.harness.server.begin_stop(10'000'000'000);
  CHECK(client.frame() == answer_of(ledger_step(0, 1)));
  const std::string frame = client.frame();
  CHECK(frame.substr(0, 3) == std::string("\x88\x03\xe9"));
  CHECK(frame.substr(3) == "UNAVAILABLE: the server is stopping");
  CHECK(client.at_end());
}

TEST_CASE("a step that fails is answered in its place, and the state is as it was") {
  ModelConfig config = testing::model("picky");
  config.max_batch = 4;
  config.execution = Execution::Inline;
  ServingHarness served(config);
  NetClient client(served.harness.port);
  served.open_raw(client, {.base = "a"});
  const auto row = [](int64_t index) {
    return masked_frame(kBinary, {reinterpret_cast<const char*>(&index), sizeof index});
  };
  const auto value = [](float y) {
    return static_cast<char>(kBinary) + std::string(reinterpret_cast<char*>(&y), sizeof y);
  };
  client.send(row(1));
  CHECK(client.frame() == value(10));
  client.send(row(7));
  const std::string error = client.frame();
  CHECK(error.starts_with("\x81{\"error\":\"the model refused the inputs: "));
  CHECK(error.ends_with("\",\"code\":\"INVALID_ARGUMENT\"}"));
  client.send(row(2));
  CHECK(client.frame() == value(110));
}

TEST_CASE("a lane may wake an I/O thread that has gone") {
  const auto engine = std::make_shared<Engine>(ledger(Execution::Lanes, 1));
  std::binary_semaphore wakes{0};
  std::binary_semaphore go_on{0};
  // Shares the batch, and is woken first.
  const auto other = std::make_shared<CompletionQueue>([&] {
    wakes.release();
    go_on.acquire();
  });
  auto harness = std::make_unique<testing::Harness>();
  IoThread& thread = harness->server.thread(0);
  struct Silent final : StepSink {
    void completed(const Completion&) override {}
  } sink;
  std::shared_ptr<ModelClient> model;
  thread.post_and_wait([&] {
    model = std::make_shared<ModelClient>(thread, engine, 1);
    const std::string row = ledger_row(1);
    const InputBytes input{reinterpret_cast<const std::byte*>(row.data()), row.size()};
    uint32_t index = 0;
    CHECK(engine->scheduler().submit(*other, {}, {&input, 1}, index) == Code::Ok);
    CHECK(model->submit(sink, {}, {&input, 1}, index) == Code::Ok);
  });
  wakes.acquire();
  thread.post_and_wait([&] { model.reset(); });
  harness.reset();
  go_on.release();
  engine->scheduler().detach(*other);
  engine->scheduler().close(true);
}

}  // namespace
}  // namespace headrace
