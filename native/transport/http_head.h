// The head of an HTTP/1.1 request (RFC 9112), read strictly: where two readers could differ about what a head says, or
// where it ends, it is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "parse.h"

namespace headrace {

inline constexpr size_t kMaxHeadBytes = 16384;  // with the blank line
inline constexpr size_t kMaxTargetBytes = 8192;
inline constexpr size_t kMaxFields = 100;

struct HeaderField {
  std::string_view name;   // in lower case
  std::string_view value;  // without blanks around it
};

// All views are into the bytes that were parsed, and hold as long as those stay where they are.
struct HttpHead {
  std::string_view method;
  std::string_view path;   // of the target, as it was sent; "*" for the server as a whole
  std::string_view query;  // without '?', empty where there is none
  int minor = 1;           // of the version: 0 or 1
  std::vector<HeaderField> fields;

  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = false;
  bool expect_continue = false;
  bool websocket = false;  // asks for an upgrade to it; the rest of the handshake is not looked at here

  // The value of the first field of this name, empty where there is none.
  std::string_view field(std::string_view lower_name) const;

  // As new, but for the capacity of `fields`.
  void clear();
};

// Reads the head at the beginning of `bytes`, into which the names of the fields are written in lower case. `consumed`
// is its length when it is complete, otherwise 0. One empty line before it is skipped. `problem` is set when it is bad.
Parse parse_http_head(std::span<char> bytes, HttpHead& head, size_t& consumed, HttpProblem& problem);

}  // namespace headrace
