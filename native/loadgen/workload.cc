#include "workload.h"

#include "grpc.h"
#include "http_reply.h"
#include "http_template.h"
#include "request_file.h"
#include "requests.h"
#include "sequenced_requests.h"
#include "socket.h"
#include "websocket.h"

namespace headrace::bench {

namespace {

Workload noiseWorkloadOf(const Arguments& arguments) {
  Workload workload{
      .mode = modeOf(arguments.text("mode")),
      .host = arguments.text("host", "127.0.0.1"),
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

struct Door {
  std::string host;       // an IP address
  std::string authority;  // what the client calls it
  std::uint16_t port;
  Framing framing;
  std::string path;     // of a WebSocket
  std::string headers;  // each with its end
};

UniqueFd enter(const Door& door) {
  UniqueFd fd = connectTo(door.host, door.port);
  if (door.framing == Framing::webSocket) upgradeToWebSocket(fd.get(), door.authority, door.path, door.headers);
  if (door.framing == Framing::grpc) beginHttp2(fd.get());
  makeNonBlocking(fd.get());
  return fd;
}

Door doorOf(const Arguments& arguments, Framing framing) {
  const std::string host = arguments.text("host", "127.0.0.1");
  return {.host = host,
          .authority = arguments.text("authority", host),
          .port = static_cast<std::uint16_t>(arguments.whole("port")),
          .framing = framing,
          .path = arguments.text("path", ""),
          .headers = headerLines(arguments.text("headers", ""))};
}

template <typename MakeReader>
Workplace connectAll(std::unique_ptr<RequestSource> source, const Door& door, std::size_t slots,
                     std::size_t connections, MakeReader makeReader) {
  if (connections == 0 || slots < connections)
    throw UsageError("each connection has at least one slot, and there is one");
  Workplace place{.source = std::move(source), .connections = {}, .slots = slots};
  place.connections.reserve(connections);
  for (std::size_t i = 0; i < connections; ++i) {
    const std::size_t own = (slots - i + connections - 1) / connections;
    place.connections.emplace_back(enter(door), makeReader(own), *place.source, i, connections, own);
  }
  return place;
}

Workplace noisePlace(const Arguments& arguments) {
  const Workload workload = noiseWorkloadOf(arguments);
  const std::size_t connections = arguments.whole("connections", 1);
  Framing framing = Framing::none;
  if (workload.mode == Mode::wsRaw) framing = Framing::webSocket;
  if (workload.mode == Mode::grpc) framing = Framing::grpc;
  // The headers of a template are part of its requests.
  Door door = doorOf(arguments, framing);
  door.headers.clear();
  return connectAll(std::make_unique<RepeatedRequests>(requestsOf(workload, connections)), door,
                    connections * workload.inFlight, connections, [&](std::size_t) { return readerOf(workload); });
}

Framing framingOf(const std::string& mode) {
  if (mode == "http") return Framing::none;
  if (mode == "ws") return Framing::webSocket;
  if (mode == "grpc") return Framing::grpc;
  throw UsageError("with --requests --mode is http, ws or grpc, not \"" + mode + "\"");
}

Scheme schemeOf(const std::string& scheme) {
  if (scheme == "http") return Scheme::http;
  if (scheme == "https") return Scheme::https;
  throw UsageError("--scheme is http or https, not \"" + scheme + "\"");
}

Workplace filePlace(const Arguments& arguments) {
  const Framing framing = framingOf(arguments.text("mode"));
  const std::size_t slots = arguments.whole("slots", 1);
  const std::size_t connections = arguments.whole("connections", 1);
  const Door door = doorOf(arguments, framing);
  const SequenceOptions options{
      .framing = framing,
      .host = door.authority,
      .headers = door.headers,
      .scheme = schemeOf(arguments.text("scheme", "http")),
      .minLength = static_cast<std::uint32_t>(arguments.whole("min-length", 0)),
      .maxLength = static_cast<std::uint32_t>(arguments.whole("max-length", 0)),
      .seed = static_cast<std::uint32_t>(arguments.whole("seed", 1)),
      .numbered = arguments.whole("numbered", 0) != 0,
      .connections = connections,
  };
  if (options.minLength > options.maxLength) throw UsageError("--min-length is at most --max-length");
  auto source = std::make_unique<SequencedRequests>(readRequestFile(arguments.text("requests")), options, slots);
  return connectAll(std::move(source), door, slots, connections, [&](std::size_t own) -> std::unique_ptr<ReplyReader> {
    if (framing == Framing::webSocket) return std::make_unique<WebSocketReader>(std::nullopt, options.numbered);
    if (framing == Framing::grpc) return std::make_unique<GrpcReader>(std::nullopt, own);
    return std::make_unique<HttpReader>(HttpExpectation{.body = HttpExpectation::Body::v2Outputs, .size = 0});
  });
}

}  // namespace

Workplace workplaceOf(const Arguments& arguments) {
  return arguments.text("requests", "").empty() ? noisePlace(arguments) : filePlace(arguments);
}

}  // namespace headrace::bench
