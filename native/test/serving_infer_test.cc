// Infer requests that an I/O thread answers by itself, with a real model behind real sockets.
#include <doctest/doctest.h>

#include <thread>

#include "serving_harness.h"

namespace headrace {
namespace {

using testing::contains;
using testing::ledger;
using testing::ledger_request;
using testing::ledger_row;
using testing::ledger_spec;
using testing::ledger_step;
using testing::NetClient;
using testing::ServingHarness;
using testing::Told;

const std::string kPath = "/v2/models/ledger/infer";

std::string json_answer(uint32_t y) {
  const std::string number = std::to_string(y);
  return "{\"model_name\":\"ledger\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\","
         "\"shape\":[1,2],\"data\":[" +
         number + "," + number + "]}]}";
}

TEST_CASE("requests are answered in the form that they ask for, and JavaScript hears nothing") {
  for (const Execution execution : {Execution::Inline, Execution::Lanes}) {
    ServingHarness served(ledger(execution, 2));
    served.serve_infer(ledger_spec(), {kPath});
    NetClient client(served.harness.port);
    client.send(ledger_request(5, "{\"sequence_id\":1}", false));
    const std::string answer = client.answer();
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: "));
    CHECK(answer.ends_with("\r\n\r\n" + json_answer(5)));
    client.send(ledger_request(6, "{\"sequence_id\":1,\"binary_data_output\":true}", true));
    const std::string binary = client.answer();
    CHECK(contains(binary, "\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-Length: 136\r\n"));
    CHECK(binary.ends_with("\"parameters\":{\"binary_data_size\":8}}]}" + ledger_row(ledger_step(5, 6))));
    CHECK(served.harness.is_silent());
    const InferCounts counts = served.counts();
    CHECK(counts.requests == 2);
    CHECK(counts.under_way == 0);
    CHECK(counts.answers[0] == 2);
  }
}

TEST_CASE("pipelined requests of one connection are answered in order, whoever answers") {
  ServingHarness served(ledger());
  served.serve_infer(ledger_spec(), {kPath});
  NetClient client(served.harness.port);
  std::string requests;
  for (uint32_t x = 1; x <= 100; ++x) {
    requests += ledger_request(x, "{\"sequence_id\":\"s\"}", x % 2 == 0);
    if (x % 10 == 0) requests += "GET /other HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  client.send(requests);
  uint32_t state = 0;
  for (uint32_t x = 1; x <= 100; ++x) {
    state = ledger_step(state, x);
    REQUIRE(client.answer().ends_with("\r\n\r\n" + json_answer(state)));
    if (x % 10 != 0) continue;
    const Told told = served.harness.next();
    CHECK(told.kind == EventKind::Request);
    served.harness.respond(told.connection, "other");
    CHECK(client.answer().ends_with("\r\n\r\nother"));
  }
}

TEST_CASE("what is not understood is told, with all of its body, and the engine has nothing of it") {
  ServingHarness served(ledger());
  served.serve_infer(ledger_spec(), {kPath});
  NetClient client(served.harness.port);
  const std::string wrong[] = {"{\"timeout\":1}", "{\"sequence_id\":-1}", "{\"more\":1}", "{\"sequence_start\":true}",
                               "{\"sequence_id\":\"a\\u0062\"}"};
  for (const std::string& parameters : wrong) {
    for (const bool is_binary : {false, true}) {
      const std::string request = ledger_request(1, parameters, is_binary);
      client.send(request);
      const Told told = served.harness.next();
      CHECK(told.kind == EventKind::Request);
      CHECK(request.ends_with("\r\n\r\n" + told.body));
      served.harness.respond(told.connection, "mine");
      CHECK(client.answer().ends_with("mine"));
    }
  }
  CHECK(served.counts().requests == 0);
  CHECK(served.engine->scheduler().stats().requests[0] == 0);
}

TEST_CASE("a request that comes byte by byte is answered all the same") {
  ServingHarness served(ledger());
  served.serve_infer(ledger_spec(), {kPath});
  NetClient client(served.harness.port);
  for (const char byte : ledger_request(3, "{}", true)) client.send({&byte, 1});
  CHECK(client.answer().ends_with(json_answer(3)));
  CHECK(served.harness.is_silent());
}

TEST_CASE("a client that goes before its answer takes its step along, and nobody else's") {
  for (const Execution execution : {Execution::Inline, Execution::Lanes}) {
    ServingHarness served(ledger(execution, 1));
    served.serve_infer(ledger_spec(), {kPath});
    NetClient other(served.harness.port);
    uint32_t state = 0;
    for (uint32_t x = 0; x < 50; ++x) {
      NetClient client(served.harness.port);
      client.send(ledger_request(x, "{\"sequence_id\":\"gone\"}", true));
      client.close(true);
      other.send(ledger_request(x, "{\"sequence_id\":\"stays\"}", true));
      state = ledger_step(state, x);
      REQUIRE(other.answer().ends_with(json_answer(state)));
    }
    while (served.under_way() > 0 || served.counts().under_way > 0) std::this_thread::yield();
    CHECK(served.engine->scheduler().stats().waiting == 0);
  }
}

TEST_CASE("requests of a path that is served no more, and of a model that goes, are answered") {
  ServingHarness served(ledger(Execution::Lanes, 1));
  served.serve_infer(ledger_spec(), {kPath});
  NetClient client(served.harness.port);
  client.send(ledger_request(1, "{}", true));
  CHECK(client.answer().ends_with(json_answer(1)));
  IoThread& thread = served.harness.server.thread(0);
  thread.post_and_wait([&] { served.infer[0]->serve(served.models[0], {}); });
  client.send(ledger_request(1, "{}", true));
  const Told told = served.harness.next();
  served.harness.respond(told.connection, "JavaScript's");
  CHECK(client.answer().ends_with("JavaScript's"));
  thread.post_and_wait([&] { served.infer[0]->serve(served.models[0], {kPath}); });
  std::vector<NetClient> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(served.harness.port);
    clients.back().send(ledger_request(2, "{}", true));
  }
  while (served.counts().requests < 51) std::this_thread::yield();
  thread.post_and_wait([&] { served.infer[0]->remove(served.models[0]); });
  for (NetClient& one : clients) {
    const std::string answer = one.answer();
    const bool is_answered =
        answer.ends_with(json_answer(2)) ||
        (answer.starts_with("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n") &&
         answer.ends_with("{\"error\":\"the model is being stopped\"}"));
    CHECK(is_answered);
  }
  CHECK(served.counts().under_way == 0);
}

TEST_CASE("many headers, each of a sequence of its own, do not grow without bound, and keep their states apart") {
  ServingHarness served(ledger());
  served.serve_infer(ledger_spec(), {kPath});
  NetClient client(served.harness.port);
  bool is_right = true;
  for (uint32_t turn = 0; turn < 3; ++turn) {
    for (uint32_t id = 1; id <= 5000; ++id) {
      client.send(ledger_request(id, "{\"sequence_id\":" + std::to_string(id) + "}", true));
      uint32_t state = 0;
      for (uint32_t step = 0; step <= turn; ++step) state = ledger_step(state, id);
      is_right = is_right && client.answer().ends_with(json_answer(state));
    }
  }
  CHECK(is_right);
  CHECK(served.counts().requests == 15'000);
  CHECK(served.engine->scheduler().stats().live_states == 5000);
}

}  // namespace
}  // namespace headrace
