// A server with real sockets: what a client sees, and what JavaScript would be told and say.
#include <doctest/doctest.h>

#include <deque>
#include <map>

#include "net_client.h"
#include "server_harness.h"

namespace headrace {
namespace {

using testing::handshake;
using testing::Harness;
using testing::kMilli;
using testing::masked_frame;
using testing::NetClient;
using testing::Pause;
using testing::Told;

TEST_CASE("a request is told with its head and body, and answered") {
  Harness harness;
  NetClient client(harness.port);
  client.send(
      "POST /v2/models/m/infer?x=1 HTTP/1.1\r\nHost: here\r\nX-Some-Thing:  a b \r\nContent-Length: 5\r\n\r\nhello");
  const Told told = harness.next();
  CHECK(told.kind == EventKind::Request);
  CHECK(told.head ==
        "POST /v2/models/m/infer x=1\n:address:127.0.0.1\nhost:here\nx-some-thing:a b\ncontent-length:5\n");
  CHECK(told.body == "hello");
  CHECK(told.flags == event_flags::kBodyComplete);
  harness.respond(told.connection, "world");
  const std::string answer = client.answer();
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: "));
  CHECK(answer.ends_with("Content-Length: 5\r\n\r\nworld"));
}

TEST_CASE("pipelined requests are told one after the other, each when the one before is answered") {
  Harness harness;
  NetClient client(harness.port);
  client.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  for (const std::string path : {"/1", "/2", "/3"}) {
    const Told told = harness.next();
    CHECK(told.head.starts_with("GET " + path + " \n"));
    harness.respond(told.connection, path);
    CHECK(client.answer().ends_with("\r\n\r\n" + path));
  }
}

TEST_CASE("a body comes in pieces, whole, whatever its size, with and without a length") {
  Harness harness;
  const std::string body(3'000'000, 'x');
  for (const bool chunked : {false, true}) {
    NetClient client(harness.port);
    std::thread sender([&] {
      if (chunked) {
        client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < body.size(); at += 100'000)
          client.send("186A0\r\n" + body.substr(at, 100'000) + "\r\n");
        client.send("0\r\n\r\n");
      } else {
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n" + body);
      }
    });
    Told told = harness.next();
    CHECK(told.flags == event_flags::kBodyToCome);
    std::string came = told.body;
    while (!(told.kind == EventKind::Body && (told.flags & event_flags::kBodyComplete) != 0)) {
      told = harness.next();
      REQUIRE(told.kind == EventKind::Body);
      came += told.body;
    }
    sender.join();
    CHECK(came == body);
    harness.respond(told.connection, "ok");
    CHECK(client.answer().ends_with("ok"));
  }
}

TEST_CASE("a client that goes before its answer is told of, and a late answer harms nobody") {
  Harness harness;
  for (const bool reset : {false, true}) {
    NetClient client(harness.port);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const Told told = harness.next();
    client.close(reset);
    const Told aborted = harness.next();
    CHECK(aborted.kind == EventKind::Aborted);
    CHECK(aborted.connection == told.connection);
    harness.respond(told.connection, "late");
  }
  NetClient other(harness.port);
  other.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  harness.respond(harness.next().connection, "fine");
  CHECK(other.answer().ends_with("fine"));
}

TEST_CASE("an answer before the body is there ends the connection, and is read in full") {
  Harness harness;
  NetClient client(harness.port);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nonly this");
  harness.respond(harness.next().connection, "too large");
  const std::string answer = client.answer();
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  CHECK(answer.ends_with("too large"));
  client.send(std::string(100'000, 'x'));  // is read and dropped
  CHECK(client.at_end());
}

TEST_CASE("what is no request is refused, and ends the connection") {
  Harness harness;
  for (const auto& [bytes, status] : std::map<std::string, std::string>{
           {"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", "400 Bad Request"},
           {"GET / HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n", "417 Expectation Failed"},
           {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505 HTTP Version Not Supported"},
           {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 Bad Request"},
           {"GET / HTTP/1.1\r\nHost: h\r\nx: " + std::string(20'000, 'x'), "431 Request Header Fields Too Large"}}) {
    NetClient client(harness.port);
    client.send(bytes);
    CHECK(client.answer().starts_with("HTTP/1.1 " + status));
    CHECK(client.at_end());
  }
}

TEST_CASE("a head that does not come in time is refused") {
  Harness harness({.head_timeout = 50 * kMilli});
  NetClient client(harness.port);
  client.send("GET / HTTP/1.1\r\nHo");
  CHECK(client.answer().starts_with("HTTP/1.1 408 Request Timeout"));
  CHECK(client.at_end());
}

TEST_CASE("a WebSocket: messages both ways, fragments, pings, and its end") {
  Harness harness;
  NetClient client(harness.port);
  client.send(handshake("/s?raw=x"));
  const Told asked = harness.next();
  CHECK(asked.flags == (event_flags::kBodyComplete | event_flags::kUpgrade));
  harness.say(CommandKind::Accept, asked.connection, "Sec-WebSocket-Protocol: p\r\n", "", 0, {1000, 0, 1 << 20});
  const std::string accepted = client.take_until("\r\n\r\n");
  CHECK(accepted.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(accepted.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != std::string::npos);

  client.send(masked_frame(0x82, "one"));
  CHECK(harness.next().body == "one");
  client.send(masked_frame(0x01, "a") + masked_frame(0x89, "ping") + masked_frame(0x80, "b"));
  CHECK(client.frame() == "\x8Aping");
  Told message = harness.next();
  CHECK(message.kind == EventKind::Message);
  CHECK(message.body == "ab");
  CHECK(message.flags == 0);
  harness.say(CommandKind::Send, asked.connection, "", std::string(70'000, 'y'), 2);
  CHECK(client.frame() == "\x82" + std::string(70'000, 'y'));

  client.send(masked_frame(0x88,
                           "\x03\xE8"
                           "bye"));
  const Told closed = harness.next();
  CHECK(closed.kind == EventKind::Closed);
  CHECK(closed.extra == 1000);
  CHECK(closed.body == "bye");
  CHECK(client.frame() == "\x88\x03\xE8");
  CHECK(client.at_end());
}

TEST_CASE("what breaks the rules of WebSocket ends it with the code that says so") {
  Harness harness;
  for (const auto& [frame, code] : std::map<std::string, int>{{masked_frame(0x82, std::string(1001, 'x')), 1009},
                                                              {masked_frame(0x81, "\xFF"), 1007},
                                                              {std::string("\x82\x01x"), 1002},
                                                              {masked_frame(0x80, "x"), 1002},
                                                              {masked_frame(0x83, "x"), 1002}}) {
    NetClient client(harness.port);
    client.send(handshake("/"));
    harness.say(CommandKind::Accept, harness.next().connection, "", "", 0, {1000, 0, 1 << 20});
    client.take_until("\r\n\r\n");
    client.send(frame);
    CHECK(harness.next().extra == code);
    CHECK(client.frame().substr(0, 3) == std::string("\x88") + static_cast<char>(code >> 8) + static_cast<char>(code));
    CHECK(client.at_end());
  }
}

TEST_CASE("a reader that does not read is ended, and what it was sent does not grow for ever") {
  Harness harness;
  NetClient client(harness.port);
  client.send(handshake("/"));
  const uint64_t id = harness.next().connection;
  harness.say(CommandKind::Accept, id, "", "", 0, {1000, 0, 100'000});
  for (int i = 0; i < 200; ++i) harness.say(CommandKind::Send, id, "", std::string(100'000, 'x'), 2);
  Told closed = harness.next();
  // The system takes some of it first, at times all that there is by then.
  while (closed.kind == EventKind::Sent) closed = harness.next();
  CHECK(closed.kind == EventKind::Closed);
  CHECK(closed.extra == 1013);
}

TEST_CASE("a client that sends more than JavaScript reads waits, and loses nothing") {
  Harness harness;
  NetClient client(harness.port);
  client.send(handshake("/"));
  const uint64_t id = harness.next().connection;
  harness.say(CommandKind::Accept, id, "", "", 0, {1 << 20, 0, 1 << 20});
  client.take_until("\r\n\r\n");
  constexpr int kCount = 400;
  std::thread sender([&] {
    for (int i = 0; i < kCount; ++i) client.send(masked_frame(0x82, std::to_string(i) + std::string(50'000, ' ')));
  });
  for (int i = 0; i < kCount; ++i) CHECK(std::stoi(harness.next().body) == i);
  sender.join();
}

TEST_CASE("one connection too many is closed, and counted") {
  Harness harness({.max_connections = 1});
  NetClient client(harness.port);
  client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const uint64_t id = harness.next().connection;
  NetClient second(harness.port);
  CHECK(second.at_end());
  CHECK(harness.server.shared().refused == 1);
  harness.respond(id, "ok");
  CHECK(client.answer().ends_with("ok"));
  CHECK(client.at_end());
}

TEST_CASE("connections are spread over the threads, and each is served by its own") {
  Harness harness({.threads = 3});
  std::vector<std::unique_ptr<NetClient>> clients;
  std::map<uint64_t, int> owners;
  for (int i = 0; i < 9; ++i) {
    clients.push_back(std::make_unique<NetClient>(harness.port));
    clients.back()->send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const Told told = harness.next();
    ++owners[told.connection % 3];
    harness.respond(told.connection, "ok");
    CHECK(clients.back()->answer().ends_with("ok"));
  }
  CHECK(owners == std::map<uint64_t, int>{{0, 3}, {1, 3}, {2, 3}});
}

TEST_CASE("a client that the system has let in when the door is shut is served") {
  Harness harness;
  IoThread& thread = harness.server.thread(0);
  Pause pause(thread);
  // Both are there when the thread looks again: what its poller reports is the door that it shuts before it gets to it.
  NetClient client(harness.port);
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  thread.post([&] { thread.stop_listening(); });
  pause.end();
  harness.respond(harness.next().connection, "ok");
  CHECK(client.answer().ends_with("ok"));
}

TEST_CASE("once nobody is let in, each answer is its connection's last; when it listens again, none is") {
  Harness harness({.threads = 2});
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  std::deque<NetClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(harness.port).send(kRequest);
    harness.respond(harness.next().connection, "one");
    CHECK(clients.back().answer().find("Connection:") == std::string::npos);
  }
  harness.server.stop_listening();
  CHECK_THROWS(NetClient(harness.port));
  for (NetClient& client : clients) {
    client.send(kRequest);
    harness.respond(harness.next().connection, "two");
    CHECK(client.answer().find("\r\nConnection: close\r\n") != std::string::npos);
    CHECK(client.at_end());
  }
  NetClient again(harness.server.listen("127.0.0.1", 0, false));
  again.send(kRequest);
  harness.respond(harness.next().connection, "three");
  CHECK(again.answer().find("Connection:") == std::string::npos);
}

TEST_CASE("what has come when the server stops is refused, and what comes first from who has just come") {
  Harness harness;
  IoThread& thread = harness.server.thread(0);
  NetClient early(harness.port);
  NetClient late(harness.port);
  while (harness.server.shared().connections < 2) std::this_thread::yield();
  Pause pause(thread);
  early.send("GET /v2/models HTTP/1.1\r\nHost: h\r\n\r\n");
  thread.begin_stop(10'000'000'000);
  pause.end();
  const std::string first = early.answer();
  CHECK(first.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(first.ends_with(R"({"error":"the server is stopping"})"));
  late.send("POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
  const std::string second = late.answer();
  CHECK(second.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(second.ends_with(R"({"error":{"code":"UNAVAILABLE","message":"the server is stopping"}})"));
}

TEST_CASE("stopping sends what was written, twice over, and the port is free at once") {
  auto harness = std::make_unique<Harness>(ServerOptions{.threads = 2});
  const uint16_t port = harness->port;
  NetClient client(port);
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  harness->respond(harness->next().connection, std::string(5'000'000, 'z'));
  std::thread reader([&] { CHECK(client.answer().size() > 5'000'000); });
  harness->server.stop_listening();
  harness->server.stop(10'000 * kMilli);
  harness->server.stop(0);
  reader.join();
  CHECK_THROWS(NetClient(port));
  harness.reset();
  Server again({}, [] {});
  CHECK(again.listen("127.0.0.1", port, false) == port);
}

}  // namespace
}  // namespace headrace
