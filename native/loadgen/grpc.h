// The client's side of HTTP/2 and gRPC, as far as unary ModelInfer calls need it: the same header block with every
// call, and no limit on what comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reply_reader.h"

namespace headrace::bench {

/// What a call says that it comes over.
enum class Scheme { http, https };

/// Begins on the blocking socket `fd`, and leaves the server's settings to be read. Throws std::runtime_error where
/// there are none.
void beginHttp2(int fd);

/// The names in a call.
struct GrpcNames {
  std::string_view model;
  std::string_view input;
  std::string_view sequenceInput;  // an input INT64 [1, 1] with the sequence; empty: the parameter sequence_id
};

/// A message ModelInferRequest.
std::string inferMessage(const GrpcNames& names, std::uint64_t sequence, std::string_view tensor);

/// A call: HEADERS and DATA of stream 0, which `GrpcReader::taken` replaces. `headers` are further ones, lines of
/// `name: value`.
std::string grpcFrames(std::string_view host, std::string_view headers, std::string_view message,
                       Scheme scheme = Scheme::http);

/// Where byte `offset` of the message is in what `grpcFrames` made of it. Throws UsageError beyond its first frame.
std::size_t placeInGrpcFrames(std::string_view frames, std::size_t offset);

/// One connection's: it numbers the calls, knows which stream answers which, and keeps to the windows of the connection
/// and of each call (RFC 9113 5.2).
class GrpcReader final : public ReplyReader {
 public:
  /// Expects each answer to end with one raw tensor of `tensorBytes`, or any message where that is not given.
  GrpcReader(std::optional<std::size_t> tensorBytes, std::size_t inFlight)
      : tensorBytes_(tensorBytes), calls_(inFlight) {}

  std::size_t taken(std::size_t slot, std::span<char> request, std::size_t sent) override;
  Reply read(std::string_view bytes) override;

 private:
  static constexpr std::int64_t kFirstWindow = 65535;

  struct Call {
    std::uint32_t stream = 0;
    std::int64_t window = 0;  // bytes of its data that the server still takes
    bool isSent = false;
    bool hasAnswer = false;
  };

  void number(std::size_t slot, std::span<char> request);
  void settle(std::string_view settings);
  void open(std::uint32_t stream, std::uint32_t bytes);
  Call* callOf(std::uint32_t stream);
  bool isRight(std::string_view message) const;
  Reply end(std::uint32_t stream, std::size_t frameBytes);
  void answer(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload, Reply& reply);

  std::optional<std::size_t> tensorBytes_;
  std::vector<Call> calls_;  // by slot
  std::uint32_t nextStream_ = 1;
  std::int64_t window_ = kFirstWindow;      // bytes of data that the server still takes
  std::int64_t callWindow_ = kFirstWindow;  // of a call that begins
  std::uint64_t received_ = 0;              // bytes of data since the server's window was last opened again
};

}  // namespace headrace::bench
