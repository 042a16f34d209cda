// Requests and their answers (RFC 9112).
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "connection.h"
#include "io_thread.h"
#include "proxy_header.h"
#include "ws_handshake.h"

namespace headrace {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string_view text_of(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }

// Numbers in front of bodies, without a string for each.
class Digits {
 public:
  explicit Digits(uint64_t value) { end_ = std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr; }
  operator std::string_view() const { return {text_.data(), static_cast<size_t>(end_ - text_.data())}; }

 private:
  std::array<char, 20> text_;
  char* end_;
};

char* put(char* at, std::string_view text) { return std::copy(text.begin(), text.end(), at); }

char* put_field(char* at, std::string_view name, std::string_view value) {
  at = put(at, name);
  *at++ = ':';
  at = put(at, value);
  *at++ = '\n';
  return at;
}

size_t field_bytes(std::string_view name, std::string_view value) { return name.size() + value.size() + 2; }

std::string hex_of(std::span<const uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string_view reason_of(int status) {
  switch (status) {
    case 400:
      return "400 Bad Request";
    case 408:
      return "408 Request Timeout";
    case 413:
      return "413 Content Too Large";
    case 414:
      return "414 URI Too Long";
    case 417:
      return "417 Expectation Failed";
    case 429:
      return "429 Too Many Requests\r\nRetry-After: 1";
    case 431:
      return "431 Request Header Fields Too Large";
    case 501:
      return "501 Not Implemented";
    case 503:
      return "503 Service Unavailable";
    case 505:
      return "505 HTTP Version Not Supported";
    default:
      return "400 Bad Request";
  }
}

}  // namespace

size_t Connection::take_proxy(std::span<char> bytes) {
  size_t used = 0;
  ProxySource source;
  switch (parse_proxy_header(bytes, used, source)) {
    case Parse::incomplete:
      return 0;
    case Parse::bad:
      close();
      return bytes.size();
    case Parse::complete:
      break;
  }
  proxied_ = hex_of(std::span(source.address).first(source.address_bytes));
  state_ = State::Head;
  return used;
}

size_t Connection::take_head(std::span<char> bytes) {
  HttpHead& head = io_.head();
  HttpProblem problem{};
  size_t used = 0;
  switch (parse_http_head(bytes, head, used, problem)) {
    case Parse::incomplete:
      if (!in_head_) deadline_ = io_.now() + io_.options().head_timeout;
      in_head_ = true;
      return 0;
    case Parse::bad:
      refuse(problem.status, problem.text);
      return bytes.size();
    case Parse::complete:
      break;
  }
  has_asked_ = true;
  is_v2_ = head.path.starts_with("/v2");
  if (io_.is_closing()) {
    refuse_in_shape(503, "UNAVAILABLE", "the server is stopping");
    return bytes.size();
  }
  const std::span<const char> rest = bytes.subspan(used);
  keep_alive_ = head.keep_alive;
  is_head_method_ = head.method == "HEAD";
  is_http10_ = head.minor == 0;
  body_left_ = head.content_length.value_or(0);
  body_is_chunked_ = head.chunked;
  accept_key_.clear();
  bool waits = false;
  const bool has_body = head.chunked || body_left_ > 0;
  const bool is_whole = !head.chunked && rest.size() >= body_left_;
  if (offer(head, rest, waits)) return used + static_cast<size_t>(head.content_length.value_or(0));
  if (waits) {
    in_head_ = true;
    await_body(rest.size());
    return 0;
  }
  in_head_ = false;
  waits_for_reader_ = io_.is_behind();
  if (waits_for_reader_) return 0;
  const size_t taken = head.chunked ? 0 : static_cast<size_t>(std::min<uint64_t>(rest.size(), body_left_));
  body_came_ = taken;
  if (is_whole)
    body_is_whole();
  else
    await_body(taken);
  uint32_t flags = is_whole ? event_flags::kBodyComplete : event_flags::kBodyToCome;
  if (head.websocket && head.method == "GET" && !has_body && head.field("sec-websocket-version") == "13" &&
      is_key(head.field("sec-websocket-key"))) {
    accept_key_ = accept_key(head.field("sec-websocket-key"));
    flags |= event_flags::kUpgrade;
  }
  state_ = is_whole ? State::Answering : State::Body;
  if (!is_whole) say_continue(head);
  continued_ = false;
  body_left_ -= taken;
  tell_request(head, rest.first(taken), flags);
  return used + taken;
}

// Asks the handlers. True: one of them has taken it. `waits`: one of them may, once the body is there.
bool Connection::offer(const HttpHead& head, std::span<const char> rest, bool& waits) {
  if (head.chunked || head.websocket || body_left_ > io_.options().max_pending) return false;
  for (RequestHandler* handler : io_.request_handlers()) {
    if (!handler->wants(head)) continue;
    if (rest.size() < body_left_) {
      say_continue(head);
      waits = true;
      return false;
    }
    state_ = State::Answering;
    handler_ = handler;
    in_head_ = false;
    continued_ = false;
    body_came_ = body_left_;
    body_is_whole();
    if (handler->request(*this, head, std::as_bytes(rest.first(static_cast<size_t>(body_left_))))) return true;
    state_ = State::Head;
    handler_ = nullptr;
  }
  return false;
}

// Each piece has to come in time, and the body as a whole no slower than somebody who wants an answer sends it. Else a
// byte now and then would keep a connection for ever.
void Connection::await_body(uint64_t came) {
  if (body_began_ == 0) body_began_ = io_.now();
  deadline_ = std::min(io_.now(), body_began_ + time_for(came)) + io_.options().head_timeout;
}

void Connection::body_is_whole() {
  body_began_ = 0;
  deadline_ = 0;
}

void Connection::say_continue(const HttpHead& head) {
  if (!head.expect_continue || continued_) return;
  continued_ = true;
  out_.append(kContinue);
  mark_dirty();
}

void Connection::tell_request(const HttpHead& head, std::span<const char> body, uint32_t flags) {
  const bool is_proxied = !proxied_.empty();
  const std::string_view from = is_proxied ? ":proxied" : ":address";
  const std::string_view who = is_proxied ? proxied_ : address_;
  size_t size = head.method.size() + head.path.size() + head.query.size() + 3 + field_bytes(from, who);
  for (const HeaderField& field : head.fields) size += field_bytes(field.name, field.value);
  const Event event{.kind = EventKind::Request,
                    .connection = id_,
                    .head_bytes = static_cast<uint32_t>(size),
                    .body_bytes = static_cast<uint32_t>(body.size()),
                    .flags = flags};
  char* at = reinterpret_cast<char*>(io_.tell(event, size + body.size()));
  at = put(at, head.method);
  *at++ = ' ';
  at = put(at, head.path);
  *at++ = ' ';
  at = put(at, head.query);
  *at++ = '\n';
  at = put_field(at, from, who);
  for (const HeaderField& field : head.fields) at = put_field(at, field.name, field.value);
  put(at, text_of(body));
}

size_t Connection::take_body(std::span<char> bytes) {
  const auto count = static_cast<size_t>(std::min<uint64_t>({bytes.size(), body_left_, EventBlock::kBytes}));
  body_left_ -= count;
  tell_body(bytes.first(count), body_left_ == 0);
  return count;
}

size_t Connection::take_chunks(std::span<char> bytes) {
  size_t used = 0;
  std::span<const char> data;
  switch (chunks_.next(bytes, used, data)) {
    case Parse::incomplete:
      if (!data.empty()) tell_body(data, false);
      return used;  // above 0: something is consumed wherever there is something
    case Parse::bad:
      refuse(chunks_.problem().status, chunks_.problem().text);
      return bytes.size();
    case Parse::complete:
      tell_body(data, true);
      chunks_ = ChunkedBody();
      return used;
  }
  return 0;
}

void Connection::tell_body(std::span<const char> piece, bool is_last) {
  body_came_ += piece.size();
  if (is_last) {
    body_is_whole();
    state_ = State::Answering;
  } else {
    await_body(body_came_);
  }
  told(piece.size());
  const Event event{.kind = EventKind::Body,
                    .connection = id_,
                    .body_bytes = static_cast<uint32_t>(piece.size()),
                    .flags = is_last ? event_flags::kBodyComplete : 0};
  put(reinterpret_cast<char*>(io_.tell(event, piece.size())), text_of(piece));
}

// Answers what is no request that anybody could answer, and ends. In V2's shape of errors: there is no telling whose is
// wanted.
void Connection::refuse(int status, std::string_view text) {
  std::string body = R"({"error":")";
  body += text;
  body += R"("})";
  refuse_with(status, body);
}

// The same for a request whose head was understood. docs/errors.md has the two shapes.
void Connection::refuse_in_shape(int status, std::string_view code, std::string_view text) {
  if (is_v2_) return refuse(status, text);
  std::string body = R"({"error":{"code":")";
  body += code;
  body += R"(","message":")";
  body += text;
  body += R"("}})";
  refuse_with(status, body);
}

void Connection::refuse_with(int status, std::string_view body) {
  abandon();
  std::string head(reason_of(status));
  head += "\r\nContent-Type: application/json\r\n";
  std::string framing = "Content-Length: ";
  framing += Digits(body.size());
  framing += "\r\n";
  write_head(head, framing, true);
  out_.append(body);
  end_after_flush();
}

void Connection::write_head(std::string_view head, std::string_view framing, bool closes) {
  out_.append("HTTP/1.1 ");
  out_.append(head);
  out_.append(io_.date_field());
  out_.append(framing);
  if (closes)
    out_.append("Connection: close\r\n");
  else if (is_http10_)
    out_.append("Connection: keep-alive\r\n");
  out_.append("\r\n");
}

void Connection::respond(std::string_view head, std::span<const std::byte> body, uint32_t flags) {
  if (!is_under_way()) return;
  std::array<char, 40> framing;
  char* end = framing.data();
  if ((flags & respond_flags::kNoBody) == 0) {
    end = put(end, "Content-Length: ");
    end = put(end, Digits(body.size()));
    end = put(end, "\r\n");
  }
  const bool closes = io_.is_leaving() || !keep_alive_ || state_ == State::Body;
  write_head(head, {framing.data(), static_cast<size_t>(end - framing.data())}, closes);
  if (!is_head_method_ && (flags & respond_flags::kNoBody) == 0) out_.append(body);
  tell_sent_ = (flags & respond_flags::kTell) != 0;
  answered(closes);
}

// The answer is complete, as far as this side goes.
void Connection::answered(bool closes) {
  handler_ = nullptr;
  body_came_ = 0;
  mark_dirty();
  if (closes) {
    state_ = State::Flushing;
    deadline_ = 0;
    return;
  }
  state_ = State::Head;
  deadline_ = io_.now() + io_.options().keep_alive_timeout;
  if (counted_incoming_ > 0) count_held();
  mark_resuming();
}

}  // namespace headrace
