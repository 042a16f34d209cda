// Clients that do what none should, and those that do nothing: what they get, and what they cost.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "net_client.h"
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

}  // namespace
}  // namespace headrace
