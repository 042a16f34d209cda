#include "grpc.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

#include "arguments.h"
#include "little_endian.h"
#include "socket.h"

namespace headrace::bench {

namespace {

constexpr std::size_t kFrameHeader = 9;
constexpr std::size_t kTypeAt = 3;    // where a frame says of which type it is,
constexpr std::size_t kStreamAt = 5;  // and of which stream
constexpr std::size_t kMaxFrame = 16384;
constexpr std::size_t kPrefix = 5;  // in front of each message of gRPC

enum Type : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8
};
constexpr std::uint32_t kNoError = 0;
enum Flag : std::uint8_t { kEndStream = 1, kAck = 1, kEndHeaders = 4 };

std::string bigEndian(std::uint32_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xFF);
  return text;
}

std::uint32_t readBigEndian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

/// The size of a frame's payload.
std::size_t payloadOf(std::span<const char> frame) { return readBigEndian({frame.data(), 3}); }

std::string frame(Type type, std::uint8_t flags, std::string_view payload, std::uint32_t stream = 0) {
  return bigEndian(static_cast<std::uint32_t>(payload.size()), 3) + static_cast<char>(type) + static_cast<char>(flags) +
         bigEndian(stream, 4) + std::string(payload);
}

/// A string of HPACK as it is: shorter than 127 bytes.
std::string literal(std::string_view text) { return static_cast<char>(text.size()) + std::string(text); }

/// Numbers as in RFC 7541, appendix A; literals go into no table.
std::string headerBlock(std::string_view host, std::string_view headers, Scheme scheme) {
  constexpr char kPost = '\x83', kHttp = '\x86', kHttps = '\x87', kPath = 4, kAuthority = 1;
  std::string block{kPost, scheme == Scheme::https ? kHttps : kHttp};
  block += kPath + literal("/inference.GRPCInferenceService/ModelInfer");
  block += kAuthority + literal(host);
  block += std::string("\x0f\x10") + literal("application/grpc");  // content-type
  block += '\0' + literal("te") + literal("trailers");
  while (!headers.empty()) {
    const std::string_view line = headers.substr(0, headers.find("\r\n"));
    headers.remove_prefix(std::min(line.size() + 2, headers.size()));
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos || line.size() > 120)
      throw UsageError("a header of gRPC is short, name: value");
    std::string name(line.substr(0, colon));
    for (char& letter : name) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    block += '\0' + literal(name) + literal(line.substr(colon + 2));
  }
  return block;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}

/// A field of bytes, text or a message.
std::string field(int number, std::string_view value) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(value.size()) + std::string(value);
}

/// An input of one row.
std::string inputField(std::string_view name, std::string_view datatype, std::size_t elements) {
  return field(5, field(1, name) + field(2, datatype) + field(3, varint(1) + varint(elements)));
}

}  // namespace

std::string inferMessage(const GrpcNames& names, std::uint64_t sequence, std::string_view tensor) {
  const std::string input = inputField(names.input, "FP32", tensor.size() / sizeof(float));
  if (!names.sequenceInput.empty()) {
    const std::string bytes = littleEndian(sequence, 8);
    return field(1, names.model) + input + inputField(names.sequenceInput, "INT64", 1) + field(7, tensor) +
           field(7, bytes);
  }
  const std::string id = '\x10' + varint(sequence);  // int64_param
  const std::string parameter = field(1, "sequence_id") + field(2, id);
  return field(1, names.model) + field(4, parameter) + input + field(7, tensor);
}

void beginHttp2(int fd) {
  constexpr std::uint32_t kMaxWindow = 0x7FFFFFFF, kFirstWindow = 65535;
  const std::string window = bigEndian(4, 2) + bigEndian(kMaxWindow, 4);  // of each stream
  sendAll(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, window) +
                  frame(kWindowUpdate, 0, bigEndian(kMaxWindow - kFirstWindow, 4)));
  std::array<char, kFrameHeader> header{};
  const ssize_t got = recv(fd, header.data(), header.size(), MSG_PEEK | MSG_WAITALL);
  if (got < 0) throwErrno("recv");
  const bool isWhole = static_cast<std::size_t>(got) == header.size();
  if (!isWhole || header[3] != kSettings) throw std::runtime_error("the server does not speak HTTP/2");
}

std::string grpcFrames(std::string_view host, std::string_view headers, std::string_view message, Scheme scheme) {
  const std::string data = '\0' + bigEndian(static_cast<std::uint32_t>(message.size()), 4) + std::string(message);
  std::string frames = frame(kHeaders, kEndHeaders, headerBlock(host, headers, scheme));
  for (std::size_t at = 0; at < data.size(); at += kMaxFrame) {
    const bool isLast = at + kMaxFrame >= data.size();
    frames += frame(kData, isLast ? kEndStream : 0, std::string_view(data).substr(at, kMaxFrame));
  }
  return frames;
}

std::size_t placeInGrpcFrames(std::string_view frames, std::size_t offset) {
  constexpr std::size_t kGap = 16;  // no gap is larger
  if (kPrefix + offset + kGap > kMaxFrame) throw UsageError("the gap of a message is in its first 16 KB");
  return kFrameHeader + readBigEndian(frames.substr(0, 3)) + kFrameHeader + kPrefix + offset;
}

std::size_t GrpcReader::taken(std::size_t slot, std::span<char> request, std::size_t sent) {
  if (sent == 0) number(slot, request);
  Call& call = calls_[slot];
  std::size_t end = sent;
  while (end < request.size()) {
    const auto payload = static_cast<std::int64_t>(payloadOf(request.subspan(end)));
    if (request[end + kTypeAt] == kData) {
      if (payload > std::min(window_, call.window)) break;
      window_ -= payload;
      call.window -= payload;
    }
    end += kFrameHeader + static_cast<std::size_t>(payload);
  }
  call.isSent = end == request.size();
  return end - sent;
}

/// Makes the frames those of a call of its own.
void GrpcReader::number(std::size_t slot, std::span<char> request) {
  const std::string stream = bigEndian(nextStream_, 4);
  for (std::size_t at = 0; at < request.size(); at += kFrameHeader + payloadOf(request.subspan(at))) {
    std::ranges::copy(stream, request.data() + at + kStreamAt);
  }
  calls_[slot] = Call{.stream = nextStream_, .window = callWindow_};
  nextStream_ += 2;
}

Reply GrpcReader::read(std::string_view bytes) {
  if (bytes.size() < kFrameHeader) return {};
  const std::size_t frameBytes = kFrameHeader + readBigEndian(bytes.substr(0, 3));
  if (bytes.size() < frameBytes) return {};
  const auto type = static_cast<std::uint8_t>(bytes[3]);
  const auto flags = static_cast<std::uint8_t>(bytes[4]);
  const std::uint32_t stream = readBigEndian(bytes.substr(kStreamAt, 4)) & 0x7FFFFFFF;
  const std::string_view payload = bytes.substr(kFrameHeader, frameBytes - kFrameHeader);
  if (type == kGoAway) return {.kind = Reply::Kind::broken, .problem = "the server goes away"};

  Reply reply{.kind = Reply::Kind::skipped, .size = frameBytes};
  answer(type, flags, stream, payload, reply);
  Call* call = callOf(stream);
  if (call != nullptr && type == kData) call->hasAnswer |= isRight(payload);
  const bool isLast = type == kReset || ((type == kData || type == kHeaders) && (flags & kEndStream) != 0);
  if (call == nullptr || !isLast) return reply;
  const bool isCut = !call->isSent && type != kReset;
  Reply ended = end(stream, frameBytes);
  ended.owed = std::move(reply.owed);
  if (isCut) ended.owed += frame(kReset, 0, bigEndian(kNoError, 4), stream);  // the rest of the request will not come
  return ended;
}

/// What HTTP/2 itself wants to be answered, and what it says about the window.
void GrpcReader::answer(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload,
                        Reply& reply) {
  constexpr std::uint64_t kOpenAgain = 1u << 28;
  const bool isAck = (flags & kAck) != 0;
  if (type == kSettings && !isAck) {
    settle(payload);
    reply.owed = frame(kSettings, kAck, "");
  }
  if (type == kPing && !isAck) reply.owed = frame(kPing, kAck, payload);
  if (type == kWindowUpdate) open(stream, readBigEndian(payload.substr(0, 4)) & 0x7FFFFFFF);
  if (type != kData) return;
  received_ += payload.size();
  if (received_ < kOpenAgain) return;
  reply.owed += frame(kWindowUpdate, 0, bigEndian(static_cast<std::uint32_t>(received_), 4));
  received_ = 0;
}

/// What the server wants: of its settings only the window of calls, also of those that are under way, is of interest.
void GrpcReader::settle(std::string_view settings) {
  constexpr std::uint32_t kInitialWindow = 4;
  constexpr std::size_t kSetting = 6;
  for (; settings.size() >= kSetting; settings.remove_prefix(kSetting)) {
    if (readBigEndian(settings.substr(0, 2)) != kInitialWindow) continue;
    const std::int64_t window = readBigEndian(settings.substr(2, 4));
    for (Call& call : calls_) call.window += window - callWindow_;
    callWindow_ = window;
  }
}

/// The server takes so many bytes more, of a call or (stream 0) of all together.
void GrpcReader::open(std::uint32_t stream, std::uint32_t bytes) {
  if (stream == 0) {
    window_ += bytes;
  } else if (Call* call = callOf(stream)) {
    call->window += bytes;
  }
}

Reply GrpcReader::end(std::uint32_t stream, std::size_t frameBytes) {
  Call& call = *callOf(stream);
  const auto slot = static_cast<std::size_t>(&call - calls_.data());
  const bool isGood = call.hasAnswer && call.isSent;
  call = Call{};
  if (isGood) return {.kind = Reply::Kind::good, .size = frameBytes, .slot = slot};
  return {.kind = Reply::Kind::wrong, .size = frameBytes, .problem = "a call without the right answer", .slot = slot};
}

GrpcReader::Call* GrpcReader::callOf(std::uint32_t stream) {
  const auto found = std::ranges::find(calls_, stream, &Call::stream);
  return stream == 0 || found == calls_.end() ? nullptr : &*found;
}

/// A message, whose last field is `raw_output_contents` of the right size where that is known.
bool GrpcReader::isRight(std::string_view message) const {
  if (!tensorBytes_) return message.size() > kPrefix;
  const std::string head = varint(6 << 3 | 2) + varint(*tensorBytes_);
  if (message.size() < kPrefix + head.size() + *tensorBytes_ || message[0] != '\0') return false;
  if (readBigEndian(message.substr(1, 4)) != message.size() - kPrefix) return false;
  return message.substr(message.size() - *tensorBytes_ - head.size(), head.size()) == head;
}

}  // namespace headrace::bench
