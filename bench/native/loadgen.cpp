// loadgen: a closed loop of N connections with M requests in flight each, in one thread of native code, so that one
// core can keep a server's core busy and be seen to have done so. Prints one line of JSON; exits 1 if anything failed.
//
//   loadgen --mode ws-raw --port 8080 --path '/v2/models/gru512/stream?raw=input' --floats 512 --reply-size 32
//           --connections 16 --in-flight 16 --seconds 3 --warmup 1
//
// `--mode http-template --body '{"id":{{id}},"values":{{list}}}' --headers 'Content-Type: application/json'` posts what
// no other mode does; http_template.h tells the gaps.
//
// With `--streams many` each request in flight belongs to a stream of its own; the path then ends in `&streams=M`.

#include <cstdio>
#include <exception>

#include "arguments.h"
#include "connection.h"
#include "grpc.h"
#include "requests.h"
#include "run.h"
#include "socket.h"
#include "websocket.h"

namespace {

using namespace headrace::bench;

Workload workloadOf(const Arguments& arguments) {
  const Workload workload{
      .mode = modeOf(arguments.text("mode")),
      .host = arguments.text("host", "127.0.0.1"),
      .port = static_cast<std::uint16_t>(arguments.whole("port")),
      .path = arguments.text("path"),
      .input = arguments.text("input", "input"),
      .floats = arguments.whole("floats"),
      .replySize = arguments.whole("reply-size"),
      .inFlight = arguments.whole("in-flight", 1),
      .sequenceInput = arguments.text("sequence-input", ""),
      .headers = arguments.text("headers", ""),
      .body = arguments.text("body", ""),
      .shared = arguments.text("streams", "one") == "many",
  };
  // HTTP/1.1 servers may answer pipelined requests one by one or not at all; that is nothing to measure.
  if (workload.mode == Mode::grpc && workload.shared) throw UsageError("over gRPC each request in flight is a stream");
  if (workload.mode != Mode::wsRaw && workload.mode != Mode::grpc && (workload.inFlight != 1 || workload.shared)) {
    throw UsageError("over HTTP --in-flight is 1 and a connection one stream");
  }
  return workload;
}

Connection connect(const Workload& workload, std::uint32_t index) {
  UniqueFd fd = connectTo(workload.host, workload.port);
  if (workload.mode == Mode::wsRaw) upgradeToWebSocket(fd.get(), workload.host, workload.path);
  if (workload.mode == Mode::grpc) beginHttp2(fd.get());
  makeNonBlocking(fd.get());
  return Connection(std::move(fd), requestsOf(workload, index), readerOf(workload));
}

int measure(const Arguments& arguments) {
  const Workload workload = workloadOf(arguments);
  const Timing timing{.warmupSeconds = arguments.seconds("warmup", 1),
                      .measuredSeconds = arguments.seconds("seconds", 3)};
  const auto count = arguments.whole("connections", 1);
  if (count == 0 || workload.inFlight == 0) throw UsageError("--connections and --in-flight are at least 1");

  std::vector<Connection> connections;
  connections.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) connections.push_back(connect(workload, i));

  const RunResult result = run(connections, timing, static_cast<pid_t>(arguments.whole("server-pid", 0)));
  std::puts(result.json().c_str());
  return result.tally.errors == 0 && result.tally.requests > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  return measure(Arguments({argv + 1, argv + argc},
                           {"mode", "host", "port", "path", "input", "floats", "reply-size", "connections", "in-flight",
                            "streams", "sequence-input", "headers", "body", "seconds", "warmup", "server-pid"}));
} catch (const UsageError& error) {
  std::fprintf(stderr, "loadgen: %s\n", error.what());
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "loadgen: %s\n", error.what());
  return 1;
}
