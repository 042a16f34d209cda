// Frames of a WebSocket and its end (RFC 6455).
#include <cstring>

#include "connection.h"
#include "io_thread.h"

namespace headrace {
namespace {

constexpr size_t kMaxReason = 123;
// For a client to answer a close frame.
constexpr Nanos kCloseTimeout = 2'000'000'000;

constexpr unsigned kGoneWithoutWord = 1006;
constexpr unsigned kNoCode = 1005;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// Hands messages to JavaScript.
class EventFrames final : public FrameHandler {
 public:
  void message(Connection& connection, Opcode opcode, FramePayload& payload) override {
    const Event event{.kind = EventKind::Message,
                      .connection = connection.id(),
                      .body_bytes = static_cast<uint32_t>(payload.size()),
                      .flags = opcode == Opcode::binary ? event_flags::kBinary : 0};
    payload.mask().copy(connection.io().tell(event, payload.size()), payload.masked().data(), payload.size());
    connection.told(payload.size());
  }

  void drained(Connection& connection) override {
    connection.io().tell({.kind = EventKind::Sent, .connection = connection.id()}, 0);
  }

  void closed(Connection& connection, unsigned code, std::span<const std::byte> reason) override {
    Event event{
        .kind = EventKind::Closed, .connection = connection.id(), .body_bytes = static_cast<uint32_t>(reason.size())};
    event.extra[0] = code;
    std::byte* room = connection.io().tell(event, reason.size());
    if (!reason.empty()) std::memcpy(room, reason.data(), reason.size());
  }
};

}  // namespace

void FrameHandler::overflowing(Connection& connection) {
  connection.end(1013, "RESOURCE_EXHAUSTED: " + std::to_string(connection.unsent()) +
                           " bytes of answers were not read, at most " +
                           std::to_string(connection.limits().max_unsent) + " are kept");
}

bool Connection::accept(std::string_view fields, const WebSocketLimits& limits, std::unique_ptr<FrameHandler> handler) {
  if (state_ != State::Answering || accept_key_.empty()) return false;
  out_.append(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
  out_.append(accept_key_);
  out_.append("\r\n");
  out_.append(fields);
  out_.append("\r\n");
  accept_key_.clear();
  limits_ = limits;
  frames_ = std::move(handler);
  state_ = State::WebSocket;
  deadline_ = 0;
  last_input_ = io_.now();
  mark_dirty();
  mark_resuming();
  return true;
}

bool Connection::accept_for_events(std::string_view fields, const WebSocketLimits& limits) {
  return accept(fields, limits, std::make_unique<EventFrames>());
}

size_t Connection::take_frames(std::span<char> bytes) {
  FrameHead head;
  uint16_t problem = 0;
  switch (parse_frame_head(bytes, head, problem)) {
    case Parse::incomplete:
      return 0;
    case Parse::bad:
      fail(problem, "a frame is not as RFC 6455 has it");
      return bytes.size();
    case Parse::complete:
      break;
  }
  // Subtracted and not added: what a client promises may be anything. Also after our close frame: it is waited for.
  if (!is_control(head.opcode) && head.payload_bytes > limits_.max_message - message_.size()) {
    fail(1009, "PAYLOAD_TOO_LARGE: a message of more than " + std::to_string(limits_.max_message) + " bytes");
    return bytes.size();
  }
  const size_t room = bytes.size() - head.head_bytes;
  if (room < head.payload_bytes) return 0;
  const std::span<char> payload = bytes.subspan(head.head_bytes, static_cast<size_t>(head.payload_bytes));
  take_frame(head, std::as_writable_bytes(payload));
  return head.head_bytes + payload.size();
}

void Connection::take_frame(const FrameHead& head, std::span<std::byte> payload) {
  // After our close frame only the client's own is of interest.
  if (state_ == State::Ending && head.opcode != Opcode::close) return;
  if (is_control(head.opcode)) {
    head.mask.remove(payload.data(), payload.size());
    return take_control(head.opcode, payload);
  }
  const bool is_first = head.opcode != Opcode::continuation;
  if (is_first != (message_opcode_ == Opcode::continuation)) {
    return fail(1002, is_first ? "a message began within another" : "a continuation of no message");
  }
  FramePayload frame(payload, head.mask);
  if (is_first && head.fin) return deliver(head.opcode, frame);
  if (is_first) message_opcode_ = head.opcode;
  const std::span<const std::byte> piece = frame.unmasked();
  message_.insert(message_.end(), piece.begin(), piece.end());
  if (!head.fin) return;
  const Opcode opcode = std::exchange(message_opcode_, Opcode::continuation);
  std::vector<std::byte> whole;
  whole.swap(message_);
  FramePayload message(whole, {});
  deliver(opcode, message);
}

void Connection::deliver(Opcode opcode, FramePayload& payload) {
  if (opcode == Opcode::text && !is_utf8(payload.unmasked())) return fail(1007, "a text that is not UTF-8");
  frames_->message(*this, opcode, payload);
}

void Connection::take_control(Opcode opcode, std::span<std::byte> payload) {
  if (opcode == Opcode::ping) return send(Opcode::pong, payload);
  if (opcode == Opcode::pong) return;  // it has come, and that is all that it is for
  unsigned code = kNoCode;
  if (payload.size() >= 2) code = std::to_integer<unsigned>(payload[0]) << 8 | std::to_integer<unsigned>(payload[1]);
  const std::span<std::byte> reason = payload.size() > 2 ? payload.subspan(2) : std::span<std::byte>();
  if (payload.size() == 1 || (code != kNoCode && !is_close_code(code)) || !is_utf8(reason)) {
    return fail(1002, "a close frame that says nothing known");
  }
  if (state_ == State::WebSocket) {
    send(Opcode::close, payload.first(payload.size() >= 2 ? 2 : 0));
    tell_closed(code, reason);
  }
  end_after_flush();
}

void Connection::send(Opcode opcode, std::span<const std::byte> payload) {
  if (state_ != State::WebSocket) return;
  std::byte* room = reserve(opcode, payload.size());
  if (!payload.empty()) std::memcpy(room, payload.data(), payload.size());
}

std::byte* Connection::reserve(Opcode opcode, size_t payload_bytes) {
  std::array<std::byte, kMaxServerFrameHeadBytes> head;
  const size_t head_bytes = write_frame_head(head.data(), opcode, payload_bytes);
  std::byte* room = out_.grow(head_bytes + payload_bytes);
  std::memcpy(room, head.data(), head_bytes);
  mark_dirty();
  return room + head_bytes;
}

void Connection::end(unsigned code, std::string_view reason) {
  if (state_ != State::WebSocket) return;
  reason = reason.substr(0, kMaxReason);
  while (!is_utf8(bytes_of(reason))) reason.remove_suffix(1);  // it was cut within a character
  std::byte* room = reserve(Opcode::close, 2 + reason.size());
  room[0] = std::byte(code >> 8);
  room[1] = std::byte(code & 0xFF);
  std::memcpy(room + 2, reason.data(), reason.size());
  state_ = State::Ending;
  deadline_ = io_.now() + kCloseTimeout;
  paused_ = false;
  mark_resuming();
  tell_closed(code, bytes_of(reason));
}

// The client did what it must not: nothing that it sends after that can be understood.
void Connection::fail(unsigned code, std::string_view reason) {
  if (state_ == State::WebSocket) end(code, reason);
  end_after_flush();
}

void Connection::tell_closed(unsigned code, std::span<const std::byte> reason) {
  if (told_closed_) return;
  told_closed_ = true;
  frames_->closed(*this, code == 0 ? kGoneWithoutWord : code, reason);
}

void Connection::tick_web_socket(Nanos now) {
  if (limits_.idle_timeout == 0) return;
  // A client that is not listened to cannot show that it is alive.
  if (!wants_input()) return;
  const Nanos idle = now - last_input_;
  if (idle > limits_.idle_timeout) return close();
  const bool is_quiet = idle > limits_.idle_timeout / 2;
  if (is_quiet && !pinged_) send(Opcode::ping, {});
  pinged_ = is_quiet;
}

}  // namespace headrace
