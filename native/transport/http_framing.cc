#include "http_framing.h"

#include <algorithm>
#include <charconv>

#include "characters.h"

namespace headrace {
namespace {

bool refuse(HttpProblem& problem, int status, std::string_view text) {
  problem = {status, text};
  return false;
}

// What RFC 3986 lets stand in a host and a port, and no more than the characters are looked at.
bool is_host(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const char lower = look_up(kTokenLower, c);
    return (lower != 0 && std::string_view("#^`|").find(lower) == std::string_view::npos) ||
           std::string_view(":[](),;=").find(c) != std::string_view::npos;
  });
}

}  // namespace

bool HttpFraming::note(const HeaderField& field, HttpProblem& problem) {
  // By length first: nearly all fields are none of these.
  switch (field.name.size()) {
    case 4:
      return field.name != "host" || note_host(field.value, problem);
    case 6:
      return field.name != "expect" || note_expect(field.value, problem);
    case 7:
      if (field.name == "upgrade") note_upgrade(field.value);
      return true;
    case 10:
      if (field.name == "connection") note_connection(field.value);
      return true;
    case 14:
      return field.name != "content-length" || note_content_length(field.value, problem);
    case 17:
      return field.name != "transfer-encoding" || note_transfer_encoding(field.value, problem);
    default:
      return true;
  }
}

bool HttpFraming::note_host(std::string_view value, HttpProblem& problem) {
  if (has_host_) return refuse(problem, 400, "there is more than one Host header");
  has_host_ = true;
  return is_host(value) || refuse(problem, 400, "the Host header is not a host and port");
}

bool HttpFraming::note_expect(std::string_view value, HttpProblem& problem) {
  if (!is_same_token(value, "100-continue")) return refuse(problem, 417, "the only expectation met is 100-continue");
  head_.expect_continue = head_.minor == 1;  // one of HTTP/1.0 is to be ignored
  return true;
}

bool HttpFraming::note_content_length(std::string_view value, HttpProblem& problem) {
  uint64_t length = 0;
  const char* const end = value.data() + value.size();
  const auto [after, error] = std::from_chars(value.data(), end, length);
  if (value.empty() || error != std::errc{} || after != end) {
    return refuse(problem, 400, "the Content-Length header is not a number of bytes");
  }
  if (head_.content_length.value_or(length) != length) {
    return refuse(problem, 400, "there are two different Content-Length headers");
  }
  head_.content_length = length;
  return true;
}

bool HttpFraming::note_transfer_encoding(std::string_view value, HttpProblem& problem) {
  if (head_.minor == 0) return refuse(problem, 400, "HTTP/1.0 has no Transfer-Encoding");
  if (head_.chunked) return refuse(problem, 400, "there is more than one Transfer-Encoding");
  if (!is_same_token(value, "chunked")) return refuse(problem, 501, "the only Transfer-Encoding served is chunked");
  head_.chunked = true;
  return true;
}

void HttpFraming::note_connection(std::string_view value) {
  each_element(value, [this](std::string_view element) {
    has_close_ |= is_same_token(element, "close");
    has_keep_alive_ |= is_same_token(element, "keep-alive");
    has_upgrade_ |= is_same_token(element, "upgrade");
  });
}

void HttpFraming::note_upgrade(std::string_view value) {
  each_element(value, [this](std::string_view element) { has_websocket_ |= is_same_token(element, "websocket"); });
}

bool HttpFraming::settle(HttpProblem& problem) {
  if (head_.minor == 1 && !has_host_) return refuse(problem, 400, "the Host header is missing");
  if (head_.chunked && head_.content_length.has_value()) {
    return refuse(problem, 400, "Content-Length and Transfer-Encoding exclude each other");
  }
  head_.keep_alive = !has_close_ && (head_.minor == 1 || has_keep_alive_);
  head_.websocket = head_.minor == 1 && has_upgrade_ && has_websocket_;
  return true;
}

}  // namespace headrace
