#include "http_reply.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace headrace::bench {

namespace {

bool equalsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; });
}

std::optional<std::size_t> numberOf(std::optional<std::string_view> text) {
  std::size_t number = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return number;
}

std::size_t listLength(std::string_view body) {
  const std::size_t open = body.find('[');
  const std::size_t close = body.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close <= open + 1) return 0;
  return 1 + static_cast<std::size_t>(std::count(body.begin() + open, body.begin() + close, ','));
}

}  // namespace

std::optional<std::string_view> headerOf(std::string_view head, std::string_view name) {
  for (std::size_t line = head.find("\r\n"); line + 2 < head.size(); line = head.find("\r\n", line + 2)) {
    const std::string_view field = head.substr(line + 2, head.find("\r\n", line + 2) - line - 2);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos || !equalsIgnoringCase(field.substr(0, colon), name)) continue;
    const std::string_view value = field.substr(colon + 1);
    const std::size_t start = value.find_first_not_of(" \t");
    if (start == std::string_view::npos) return std::string_view{};
    return value.substr(start, value.find_last_not_of(" \t") - start + 1);
  }
  return std::nullopt;
}

Reply HttpReader::read(std::string_view bytes) {
  const std::size_t blankLine = bytes.find("\r\n\r\n");
  if (blankLine == std::string_view::npos) return {};
  const std::string_view head = bytes.substr(0, blankLine + 4);
  const auto length = numberOf(headerOf(head, "content-length"));
  if (!length && headerOf(head, "transfer-encoding") == "chunked") return readChunks(head, bytes.substr(head.size()));
  if (!length) return {Reply::Kind::broken, 0, "an answer without Content-Length"};
  if (bytes.size() < head.size() + *length) return {};
  return judge(head, bytes.substr(head.size(), *length));
}

Reply HttpReader::readChunks(std::string_view head, std::string_view rest) const {
  std::string body;
  std::size_t at = 0;
  for (;;) {
    const std::size_t line = rest.find("\r\n", at);
    if (line == std::string_view::npos) return {};
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(rest.data() + at, rest.data() + line, size, 16);
    if (error != std::errc{}) return {Reply::Kind::broken, 0, "a chunk without a size"};
    at = line + 2;
    if (rest.size() < at + size + 2) return {};
    body += rest.substr(at, size);
    at += size + 2;
    if (size == 0) break;  // Trailers are not asked for, so the blank line follows at once.
  }
  Reply reply = judge(head, body);
  reply.size = head.size() + at;
  return reply;
}

Reply HttpReader::judge(std::string_view head, std::string_view body) const {
  const std::size_t size = head.size() + body.size();
  if (!head.starts_with("HTTP/1.1 200 ")) {
    return {Reply::Kind::wrong, size,
            std::string(head.substr(0, head.find('\r'))) + ": " + std::string(body.substr(0, 300))};
  }
  if (expected_.body == HttpExpectation::Body::jsonObject) {
    const bool isWhole = body.size() >= expected_.size && body.front() == '{' && body.back() == '}';
    return {isWhole ? Reply::Kind::good : Reply::Kind::wrong, size,
            isWhole ? "" : "no JSON object: " + std::string(body)};
  }
  if (expected_.body == HttpExpectation::Body::bytes) {
    const bool isLong = body.size() >= expected_.size;
    return {
        isLong ? Reply::Kind::good : Reply::Kind::wrong, size,
        isLong ? "" : "an answer of " + std::to_string(body.size()) + " bytes: " + std::string(body.substr(0, 300))};
  }
  if (expected_.body == HttpExpectation::Body::v2Outputs) {
    const bool hasOutputs = body.find("\"outputs\"") != std::string_view::npos;
    return {hasOutputs ? Reply::Kind::good : Reply::Kind::wrong, size,
            hasOutputs ? "" : "an answer without outputs: " + std::string(body.substr(0, 300))};
  }
  std::size_t got = 0;
  if (expected_.body == HttpExpectation::Body::v2Binary) {
    const auto json = numberOf(headerOf(head, "inference-header-content-length"));
    if (!json || *json > body.size()) return {Reply::Kind::wrong, size, "an answer without binary outputs"};
    got = body.size() - *json;
  } else {
    // The output's shape is a list too.
    const std::size_t data = expected_.body == HttpExpectation::Body::v2Json ? body.find("\"data\":") : 0;
    got = data == std::string_view::npos ? 0 : listLength(body.substr(data));
  }
  if (got == expected_.size) return {Reply::Kind::good, size};
  return {Reply::Kind::wrong, size,
          "outputs of size " + std::to_string(got) + ", not " + std::to_string(expected_.size)};
}

}  // namespace headrace::bench
