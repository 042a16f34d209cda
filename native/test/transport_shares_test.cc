// What all clients together may make the server keep, and who is refused beyond that.
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
using testing::masked_frame;
using testing::NetClient;
using testing::Told;

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_CASE("what all clients send has a bound, and who sends little is served beyond it") {
  Harness harness({.max_incoming = 1'000'000});
  const std::atomic<size_t>& incoming = harness.server.shared().incoming;
  const auto post = [](std::string_view path) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n" +
           std::string(700'000, 'x');
  };
  // Reads what is told of a request that goes on until its answer, or until so much of it has come.
  const auto came = [&](size_t bytes) {
    size_t sum = 0;
    for (Told told = harness.next(); told.kind != EventKind::Aborted; told = harness.next()) {
      sum += told.body.size();
      if (sum == bytes) return true;
    }
    return false;
  };
  NetClient first(harness.port);
  first.send(post("/predict"));
  CHECK(came(700'000));
  CHECK(incoming == 700'000);
  for (const std::string path : {"/predict", "/v2/models/m/infer"}) {
    NetClient second(harness.port);
    second.send(post(path));
    CHECK_FALSE(came(700'000));
    const std::string answer = second.answer();
    CHECK(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n"));
    CHECK((answer.find(R"({"error":{"code":"RESOURCE_EXHAUSTED","message":")") != std::string::npos) ==
          (path == "/predict"));
    CHECK(second.at_end());
  }
  CHECK(harness.server.shared().refused_incoming == 2);

  NetClient socket(harness.port);
  socket.send(handshake("/"));
  const Told asked = harness.next();
  harness.say(CommandKind::Accept, asked.connection, "", "", 0, {10'000'000, 0, 1000});
  socket.take_until("\r\n\r\n");
  const std::string message = masked_frame(0x82, std::string(600'000, 'x'));
  socket.send(message.substr(0, 500'000));
  CHECK(socket.frame().starts_with("\x88\x03\xF5RESOURCE_EXHAUSTED: "));
  CHECK(harness.next().kind == EventKind::Closed);

  NetClient small(harness.port);
  small.send(kGet);
  harness.respond(harness.next().connection, "small");
  CHECK(small.answer().ends_with("small"));

  first.close(true);
  CHECK(harness.next().kind == EventKind::Aborted);
  socket.close(true);
  while (incoming != 0) std::this_thread::yield();
  NetClient third(harness.port);
  third.send(post("/predict"));
  CHECK(came(700'000));
}

TEST_CASE("what was answered counts no more") {
  Harness harness({.max_incoming = 1'000'000});
  NetClient client(harness.port);
  for (int i = 0; i < 5; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 700000\r\n\r\n" + std::string(700'000, 'x'));
    Told told = harness.next();
    while ((told.flags & event_flags::kBodyComplete) == 0) told = harness.next();
    harness.respond(told.connection, "ok");
    CHECK(client.answer().ends_with("ok"));
  }
  while (harness.server.shared().incoming != 0) std::this_thread::yield();
}

// More than the system takes of an answer that nobody reads.
const std::string kLarge(20'000'000, 'x');

void ask(Harness& harness, NetClient& client, const std::string& answer) {
  client.send(kGet);
  harness.respond(harness.next().connection, answer);
}

// A client that has begun to read a large answer, and does not go on.
void ask_and_stall(Harness& harness, NetClient& client) {
  const size_t before = harness.server.shared().unread;
  ask(harness, client, kLarge);
  CHECK(client.take(1) == "H");
  while (harness.server.shared().unread <= before) std::this_thread::yield();
}

TEST_CASE("where clients leave too much unread the slowest goes") {
  Harness harness({.max_unread = 1'000'000});
  const ServerShared& shared = harness.server.shared();
  NetClient slow(harness.port);
  ask_and_stall(harness, slow);
  NetClient small(harness.port);
  ask(harness, small, "small");
  CHECK(small.answer().ends_with("small"));
  CHECK(shared.closed_unread == 0);  // what is alone is kept

  NetClient later(harness.port);
  ask(harness, later, kLarge);
  while (shared.closed_unread == 0) std::this_thread::yield();
  CHECK(later.answer().ends_with(kLarge));
  while (shared.unread != 0) std::this_thread::yield();
  CHECK(shared.closed_unread == 1);
  CHECK(slow.take_until("<no end>").size() < kLarge.size());
}

TEST_CASE("WebSockets that leave too much unread go too, and JavaScript is told") {
  Harness harness({.max_unread = 1'000'000});
  NetClient socket(harness.port);
  socket.send(handshake("/"));
  const Told asked = harness.next();
  harness.say(CommandKind::Accept, asked.connection, "", "", 0, {1000, 0, 100'000'000});
  socket.take_until("\r\n\r\n");
  harness.say(CommandKind::Send, asked.connection, "", kLarge, 2);
  while (harness.server.shared().unread == 0) std::this_thread::yield();
  NetClient later(harness.port);
  ask(harness, later, kLarge);
  const Told told = harness.next();
  CHECK(told.kind == EventKind::Closed);
  CHECK(told.connection == asked.connection);
  CHECK(harness.server.shared().closed_unread == 1);
  CHECK(later.answer().ends_with(kLarge));
}

TEST_CASE("what fits is kept, however slow") {
  Harness harness({.max_unread = 40'000'000});
  NetClient first(harness.port);
  NetClient second(harness.port);
  ask_and_stall(harness, first);
  ask_and_stall(harness, second);
  CHECK(harness.server.shared().closed_unread == 0);
  NetClient third(harness.port);
  ask(harness, third, kLarge);
  while (harness.server.shared().closed_unread == 0) std::this_thread::yield();
  CHECK(first.take_until("<no end>").size() < kLarge.size());
  CHECK(second.answer().ends_with(kLarge));
  CHECK(third.answer().ends_with(kLarge));
}

TEST_CASE("answers of clients that are gone are unread no more") {
  Harness harness;
  NetClient client(harness.port);
  ask_and_stall(harness, client);
  client.close(true);
  while (harness.server.shared().unread != 0) std::this_thread::yield();
}

}  // namespace
}  // namespace headrace
