#include "websocket.h"

#include <array>
#include <charconv>
#include <optional>
#include <stdexcept>

#include "http_reply.h"
#include "socket.h"

namespace headrace::bench {

namespace {

// The example key of RFC 6455 1.3 and the answer it must get: checking the handshake without SHA-1.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

constexpr unsigned char kFinal = 0x80;
constexpr unsigned char kMasked = 0x80;
enum Opcode : unsigned char { text = 0x1, binary = 0x2, close = 0x8, ping = 0x9, pong = 0xA };

constexpr std::size_t kNumberBytes = 4;
constexpr std::size_t kMaskBytes = 4;

struct FrameHead {
  unsigned char first;  // FIN, reserved bits, opcode
  bool masked;
  std::size_t headBytes;
  std::size_t payloadBytes;
};

std::uint64_t bigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

std::size_t littleEndian(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// Nothing when the head is not all there.
std::optional<FrameHead> parseHead(std::string_view bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto second = static_cast<unsigned char>(bytes[1]);
  const unsigned length = second & 0x7F;
  const std::size_t lengthBytes = length == 127 ? 8 : length == 126 ? 2 : 0;
  if (bytes.size() < 2 + lengthBytes) return std::nullopt;
  return FrameHead{
      .first = static_cast<unsigned char>(bytes[0]),
      .masked = (second & kMasked) != 0,
      .headBytes = 2 + lengthBytes,
      .payloadBytes = lengthBytes == 0 ? length : bigEndian(bytes.substr(2, lengthBytes)),
  };
}

void appendBigEndian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFF);
}

/// A payload of at most 125 bytes under a mask of zeros.
std::string controlFrame(Opcode opcode, std::string_view payload) {
  std::string frame{static_cast<char>(kFinal | opcode), static_cast<char>(kMasked | payload.size())};
  return frame + std::string(kMaskBytes, '\0') + std::string(payload);
}

/// The number of the stream that an error in JSON is about, where it has one.
std::optional<std::size_t> streamOf(std::string_view error) {
  constexpr std::string_view kKey = "\"stream\":";
  const std::size_t found = error.find(kKey);
  if (found == std::string_view::npos) return std::nullopt;
  std::size_t number = 0;
  const std::string_view digits = error.substr(found + kKey.size());
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return problem == std::errc{} ? std::optional(number) : std::nullopt;
}

}  // namespace

void upgradeToWebSocket(int fd, const std::string& host, const std::string& path, const std::string& headers) {
  sendAll(fd, "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers +
                  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
                  std::string(kKey) + "\r\n\r\n");
  const std::string head = readHttpHead(fd);
  if (!head.starts_with("HTTP/1.1 101 ")) {
    throw std::runtime_error("no WebSocket at " + path + ": " + head.substr(0, head.find('\r')));
  }
  if (headerOf(head, "sec-websocket-accept") != kAccept) {
    throw std::runtime_error("wrong Sec-WebSocket-Accept in the handshake");
  }
}

std::string binaryFrame(std::string_view payload, std::uint32_t mask) {
  std::string frame;
  frame.reserve(payload.size() + 14);
  frame += static_cast<char>(kFinal | Opcode::binary);
  if (payload.size() < 126) {
    frame += static_cast<char>(kMasked | payload.size());
  } else if (payload.size() <= 0xFFFF) {
    frame += static_cast<char>(kMasked | 126);
    appendBigEndian(frame, payload.size(), 2);
  } else {
    frame += static_cast<char>(kMasked | 127);
    appendBigEndian(frame, payload.size(), 8);
  }
  appendBigEndian(frame, mask, 4);
  std::string masked(payload);
  applyMask(masked, mask, 0);
  return frame + masked;
}

std::size_t frameHeadBytes(std::string_view frame) {
  const auto head = parseHead(frame);
  return head ? head->headBytes + kMaskBytes : 0;
}

void applyMask(std::string& bytes, std::uint32_t mask, std::size_t offset) {
  const std::array<unsigned, 4> key{mask >> 24, mask >> 16 & 0xFF, mask >> 8 & 0xFF, mask & 0xFF};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ key[(offset + i) % 4]);
  }
}

Reply WebSocketReader::read(std::string_view bytes) {
  const auto head = parseHead(bytes);
  if (!head) return {};
  if (head->masked) return {Reply::Kind::broken, 0, "the server masked a frame"};
  const std::size_t size = head->headBytes + head->payloadBytes;
  if (bytes.size() < size) return {};

  const std::string_view payload = bytes.substr(head->headBytes, head->payloadBytes);
  switch (head->first) {
    case kFinal | Opcode::binary:
      return readAnswer(payload, size);
    case kFinal | Opcode::text:
      return {Reply::Kind::wrong, size, "error frame: " + std::string(payload.substr(0, 300)), streamOf(payload)};
    case kFinal | Opcode::close:
      return {Reply::Kind::broken, size, "the server closed the WebSocket: " + std::string(payload.substr(0, 300))};
    case kFinal | Opcode::ping: {
      Reply pong{Reply::Kind::skipped, size};
      pong.owed = controlFrame(Opcode::pong, payload);
      return pong;
    }
    case kFinal | Opcode::pong:
      return {Reply::Kind::skipped, size};
    default:
      return {Reply::Kind::broken, size, "an unexpected frame, first byte " + std::to_string(head->first)};
  }
}

Reply WebSocketReader::readAnswer(std::string_view payload, std::size_t frameBytes) const {
  const std::size_t number = numbered_ ? kNumberBytes : 0;
  // Nothing but the number of a stream: it has ended, as it was asked to.
  if (numbered_ && payload.size() == number && replyBytes_ != 0) return {Reply::Kind::skipped, frameBytes};
  if (payload.size() < number || (replyBytes_ && payload.size() != *replyBytes_ + number)) {
    return {Reply::Kind::broken, frameBytes,
            "a reply of " + std::to_string(payload.size()) + " bytes, not " +
                std::to_string(replyBytes_.value_or(0) + number)};
  }
  if (!numbered_) return {Reply::Kind::good, frameBytes};
  return {Reply::Kind::good, frameBytes, {}, littleEndian(payload.substr(0, kNumberBytes))};
}

}  // namespace headrace::bench
