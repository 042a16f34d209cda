// The bytes that one connection sends over and over, and what it expects back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "reply_reader.h"

namespace headrace::bench {

enum class Mode {
  wsRaw,     // a WebSocket whose binary frames are the input tensor's bytes
  httpV2,    // POST with V2's binary extension, one sequence per connection
  httpJson,  // POST {"stateId","input"}, one state per connection
};

/// Throws UsageError for a name that is none.
Mode modeOf(const std::string& name);

struct Workload {
  Mode mode;
  std::string host;  // IPv4
  std::uint16_t port;
  std::string path;
  std::string input;  // the input's name, for httpV2
  std::size_t floats;
  std::size_t replySize;  // bytes of outputs; for httpJson, numbers in the list
};

/// The request of connection `index`: its own noise as input and its own stream of state.
std::string requestOf(const Workload& workload, std::uint32_t index);

std::unique_ptr<ReplyReader> readerOf(const Workload& workload);

}  // namespace headrace::bench
