// Clients that do what none should, and those that do nothing: what they get, and what they cost.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "net_client.h"
#include "served.h"
#include "server_harness.h"

namespace headrace {
namespace {

using testing::handshake;
using testing::Harness;
using testing::kMilli;
using testing::masked_frame;
using testing::NetClient;
using testing::Told;

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_CASE("a client that sent far ahead and dies is told of") {
  Harness harness;
  NetClient client(harness.port);
  client.send(kGet + std::string(200'000, 'x'));
  CHECK(harness.next().kind == EventKind::Request);
  CHECK(harness.is_silent());
  client.close(true);
  CHECK(harness.next().kind == EventKind::Aborted);
}

bool is_open(Harness& harness, uint64_t id) {
  IoThread& thread = harness.server.owner_of(id);
  bool is_there = false;
  thread.post_and_wait([&] { is_there = thread.find(id) != nullptr; });
  return is_there;
}

// Whether the server listens to a connection, after some turns of its thread.
bool is_listened_to(Harness& harness, uint64_t id) {
  IoThread& thread = harness.server.owner_of(id);
  bool listens = false;
  for (int turn = 0; turn < 3; ++turn) thread.post_and_wait([&] { listens = thread.find(id)->wants_input(); });
  return listens;
}

TEST_CASE("a client that asks and asks but does not read gets its next answer when it has read the one before") {
  Harness harness;
  NetClient client(harness.port);
  std::string requests;
  for (int i = 0; i < 5; ++i) requests += kGet;
  client.send(requests);
  for (int i = 0; i < 5; ++i) {
    const uint64_t id = harness.next().connection;
    harness.respond(id, std::string(20'000'000, 'x'));
    if (i == 0) CHECK_FALSE(is_listened_to(harness, id));
    CHECK(harness.is_silent());
    CHECK(client.answer().size() > 20'000'000);
  }
}

TEST_CASE("messages of no bytes wait for JavaScript like others") {
  Harness harness;
  NetClient client(harness.port);
  client.send(handshake("/"));
  const uint64_t id = harness.next().connection;
  harness.say(CommandKind::Accept, id, "", "", 0, {1000, 0, 1000});
  client.take_until("\r\n\r\n");
  std::string frames;
  for (int i = 0; i < 100'000; ++i) frames += masked_frame(0x82, "");
  std::atomic<bool> sent = false;
  std::thread sender([&] {
    for (int i = 0; i < 30; ++i) client.send(frames);
    sent = true;
  });
  while (!sent && is_listened_to(harness, id)) {
  }
  CHECK_FALSE(sent);
  for (int i = 0; i < 3'000'000; ++i) {
    if (harness.next().kind != EventKind::Message) FAIL("a message is missing");
  }
  sender.join();
  CHECK(harness.is_silent());
}

TEST_CASE("chunks of one byte wait for JavaScript like others") {
  Harness harness;
  NetClient client(harness.port);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const uint64_t id = harness.next().connection;
  std::string chunks;
  for (int i = 0; i < 100'000; ++i) chunks += "1\r\nx\r\n";
  client.send(chunks);
  while (is_listened_to(harness, id)) {
  }
  client.send("0\r\n\r\n");
  size_t bytes = 0;
  for (Told told = harness.next(); (told.flags & event_flags::kBodyComplete) == 0; told = harness.next()) {
    bytes += told.body.size();
  }
  CHECK(bytes == 100'000);
}

TEST_CASE("control frames do not count as parts of a message") {
  Harness harness;
  NetClient client(harness.port);
  client.send(handshake("/"));
  harness.say(CommandKind::Accept, harness.next().connection, "", "", 0, {10, 0, 1000});
  client.take_until("\r\n\r\n");
  client.send(masked_frame(0x02, "12345678") + masked_frame(0x89, std::string(125, 'p')) + masked_frame(0x80, "90"));
  CHECK(client.frame() == "\x8A" + std::string(125, 'p'));
  CHECK(harness.next().body == "1234567890");
}

// Returns when the timeouts of all connections have been looked at after `head_timeout`.
void wait_for_timeouts(Harness& harness) {
  NetClient slow(harness.port);
  slow.send("GET");
  CHECK(slow.answer().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("a body that JavaScript does not take does not run out of time") {
  Harness harness({.head_timeout = 20 * kMilli});
  NetClient client(harness.port);
  const std::string body(20'000'000, 'b');
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  const Told asked = harness.next();
  // More than is taken ahead of JavaScript, and than the system keeps.
  std::thread sender([&] { client.send(body); });
  wait_for_timeouts(harness);
  size_t came = asked.body.size();
  while (came < body.size()) {
    const Told told = harness.next();
    REQUIRE(told.kind == EventKind::Body);
    came += told.body.size();
  }
  sender.join();
  harness.respond(asked.connection, "all");
  CHECK(client.answer().ends_with("all"));
}

TEST_CASE("a body that does not come runs out of time") {
  Harness harness({.head_timeout = 20 * kMilli});
  NetClient client(harness.port);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nfirst");
  CHECK(harness.next().kind == EventKind::Request);
  CHECK(harness.next().kind == EventKind::Aborted);
  CHECK(client.at_end());
}

TEST_CASE("a body that comes byte by byte runs out of time, whoever waits for it") {
  Harness harness({.head_timeout = 20 * kMilli, .least_rate = 1 << 30});
  NetClient client(harness.port);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
  Told told = harness.next();
  CHECK(told.kind == EventKind::Request);
  while (told.kind != EventKind::Aborted) {
    client.send("x");
    told = harness.next();
  }
  CHECK(client.at_end());
}

TEST_CASE("a body that is slow, but faster than the least rate, is taken") {
  Harness harness({.head_timeout = 500 * kMilli, .least_rate = 1});
  NetClient client(harness.port);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n" + std::string(100'000, 'x'));
  const Told told = harness.next();
  std::atomic<bool> is_over = false;
  std::thread sender([&] {
    while (!is_over) client.send("x");
  });
  std::thread reader([&] {
    while (harness.next().kind == EventKind::Body) {
    }
    is_over = true;
  });
  wait_for_timeouts(harness);
  CHECK_FALSE(is_over);
  CHECK(is_open(harness, told.connection));
  is_over = true;
  sender.join();
  client.close(true);
  reader.join();
}

TEST_CASE("an answer that takes long to read is not cut off by the time between requests") {
  Harness harness({.keep_alive_timeout = 20 * kMilli});
  NetClient client(harness.port);
  client.send(kGet);
  const uint64_t id = harness.next().connection;
  harness.respond(id, std::string(20'000'000, 'x'));
  CHECK(client.take(1) == "H");
  NetClient idle(harness.port);
  idle.send(kGet);
  harness.respond(harness.next().connection, "");
  idle.answer();
  CHECK(idle.at_end());
  CHECK(is_open(harness, id));
  CHECK(client.answer().size() > 20'000'000);
  CHECK(client.at_end());
}

TEST_CASE("a WebSocket that is not listened to is not idle") {
  Harness harness({.head_timeout = 20 * kMilli});
  NetClient client(harness.port);
  client.send(handshake("/"));
  const uint64_t id = harness.next().connection;
  harness.say(CommandKind::Accept, id, "", "", 0, {1 << 20, 20 * kMilli, 1 << 20});
  client.take_until("\r\n\r\n");
  client.send(masked_frame(0x82, std::string(600'000, 'x')));
  while (is_listened_to(harness, id)) {
  }
  wait_for_timeouts(harness);
  CHECK(is_open(harness, id));
  CHECK(harness.next().kind == EventKind::Message);
}

TEST_CASE("a WebSocket that is not read from ends, also where nobody listens to it") {
  Harness harness;
  NetClient client(harness.port);
  client.send(handshake("/"));
  const uint64_t id = harness.next().connection;
  harness.say(CommandKind::Accept, id, "", "", 0, {1 << 20, 20 * kMilli, 100'000'000});
  harness.say(CommandKind::Send, id, "", std::string(20'000'000, 'x'), 2);
  IoThread& thread = harness.server.owner_of(id);
  thread.post_and_wait([&] { thread.find(id)->pause(); });
  CHECK(harness.next().kind == EventKind::Closed);
}

TEST_CASE("the door may be closed while a client comes") {
  Harness harness;
  IoThread& thread = harness.server.thread(0);
  std::binary_semaphore go{0};
  thread.post([&] { go.acquire(); });
  NetClient client(harness.port);  // the system has it, the thread has not
  thread.post([&] { thread.stop_listening(); });
  go.release();
  CHECK(harness.is_silent());
}

TEST_CASE("a client that sends nothing more still reads the answer that it has been given") {
  Harness harness;
  for (const char* connection : {"", "Connection: close\r\n"}) {
    NetClient client(harness.port);
    client.send(std::string("GET / HTTP/1.1\r\nHost: h\r\n") + connection + "\r\n");
    harness.respond(harness.next().connection, std::string(20'000'000, 'x'));
    CHECK(client.take(1) == "H");
    client.end_sending();
    CHECK(client.answer().size() > 20'000'000);
    CHECK(client.at_end());
  }
}

TEST_CASE("what is kept for JavaScript has a bound, also of clients that come, send and go") {
  Harness harness({.max_connections = 4});
  IoThread& thread = harness.server.thread(0);
  const std::string request =
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x');
  const auto some_turns = [&] {
    for (int turn = 0; turn < 3; ++turn) thread.post_and_wait([] {});
  };
  for (int i = 0; i < 500; ++i) {
    NetClient client(harness.port);
    client.send(request);
    some_turns();
    client.close(true);
    some_turns();
  }
  NetClient waits(harness.port);
  waits.send(kGet);
  some_turns();
  size_t bytes = 0;
  uint64_t last = 0;
  while (last == 0) {
    const Told told = harness.next();
    bytes += told.body.size();
    if (told.head.starts_with("GET ")) last = told.connection;
  }
  CHECK(bytes > 16'000'000);
  CHECK(bytes < 64'000'000);
  harness.respond(last, "at last");
  CHECK(waits.answer().ends_with("at last"));
}

// Whether a client that takes an answer in two parts still gets more when the patience is over, counted from the first.
bool is_served_slowly(size_t least_rate) {
  constexpr Nanos kPatience = 3'600'000 * kMilli;  // of which the test lets pass what it says, and no time does
  Harness harness({.head_timeout = kPatience, .least_rate = least_rate});
  NetClient client(harness.port);
  client.send(kGet);
  const uint64_t id = harness.next().connection;
  harness.respond(id, std::string(50'000'000, 'x'));
  IoThread& thread = harness.server.owner_of(id);
  const auto unsent = [&] {
    size_t bytes = 0;
    thread.post_and_wait([&] { bytes = thread.find(id)->unsent(); });
    return bytes;
  };
  client.take(1);
  testing::let_pass(20 * kMilli);
  const size_t before = unsent();
  const Nanos second_part = now_nanos();
  while (unsent() == before) client.take(1'000'000);
  thread.post_and_wait([&] { thread.find(id)->tick(second_part + kPatience); });
  return is_open(harness, id);
}

TEST_CASE("who takes an answer in a trickle is not waited for, and who is slow is") {
  CHECK_FALSE(is_served_slowly(size_t{1} << 40));
  CHECK(is_served_slowly(1));
}

}  // namespace
}  // namespace headrace
