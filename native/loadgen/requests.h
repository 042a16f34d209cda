// The bytes that one connection sends over and over, and what it expects back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "reply_reader.h"

namespace headrace::bench {

enum class Mode {
  wsRaw,         // a WebSocket whose binary frames are the input tensor's bytes
  httpV2,        // POST with V2's binary extension, one sequence per connection
  httpV2Json,    // POST of V2's JSON, one sequence per connection
  httpJson,      // POST {"stateId","input"}, one state per connection
  grpc,          // unary ModelInfer calls, one sequence per request in flight
  httpPredict,   // POST {"inputs","stateId"} with a single integer as input, one state per connection
  httpTemplate,  // POST of a body with gaps for the stream and its input, one state per connection
};

/// Throws UsageError for a name that is none.
Mode modeOf(const std::string& name);

struct Workload {
  Mode mode;
  std::string host;   // IPv4
  std::string path;   // for grpc the model's name
  std::string input;  // the input's name, for httpV2, httpV2Json, grpc and httpPredict
  std::size_t floats;
  std::size_t replySize;      // bytes of outputs; for httpV2Json and httpJson, numbers in the list; for httpPredict and
                              // httpTemplate, bytes at least
  std::size_t inFlight;       // requests per connection
  std::string sequenceInput;  // grpc: the input that names the sequence; empty: the parameter sequence_id
  std::string headers;        // httpTemplate: the lines of headers
  std::string body;           // httpTemplate: see fillTemplate
  bool shared;                // wsRaw: each request in flight is of a stream of its own, whose number is in front of it
};

/// The request of each slot of so many connections; slot i is of connection i modulo their number. Each stream of state
/// has its own noise as input: a connection is one stream, or, where it is shared and over gRPC, each of its slots is.
std::vector<std::string> requestsOf(const Workload& workload, std::size_t connections);

std::unique_ptr<ReplyReader> readerOf(const Workload& workload);

}  // namespace headrace::bench
