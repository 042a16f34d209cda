// The client's side of HTTP/2 and gRPC, as far as unary ModelInfer calls need it: the same header block with every
// call, requests that fit the windows that every connection begins with, and no limit on what comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reply_reader.h"

namespace headrace::bench {

/// Exchanges prefaces and settings on the blocking socket `fd`. Throws std::runtime_error when the server does not.
void beginHttp2(int fd);

/// The names in a call.
struct GrpcNames {
  std::string_view model;
  std::string_view input;
  std::string_view sequenceInput;  // an input INT64 [1, 1] with the sequence; empty: the parameter sequence_id
};

/// A message ModelInferRequest.
std::string inferMessage(const GrpcNames& names, std::uint64_t sequence, std::string_view tensor);

/// A call: HEADERS and DATA of stream 0, which `GrpcReader::starting` replaces. `headers` are further ones, lines of
/// `name: value`. Throws UsageError for a message above 64 KB.
std::string grpcFrames(std::string_view host, std::string_view headers, std::string_view message);

/// Where byte `offset` of the message is in what `grpcFrames` made of it. Throws UsageError beyond its first frame.
std::size_t placeInGrpcFrames(std::string_view frames, std::size_t offset);

/// One connection's: it numbers the calls, knows which stream answers which, and keeps to the connection's window.
class GrpcReader final : public ReplyReader {
 public:
  /// Expects each answer to end with one raw tensor of `tensorBytes`, or any message where that is not given.
  GrpcReader(std::optional<std::size_t> tensorBytes, std::size_t inFlight)
      : tensorBytes_(tensorBytes), calls_(inFlight) {}

  bool mayStart(std::size_t bytes) override;
  void starting(std::size_t slot, char* request, std::size_t bytes) override;
  Reply read(std::string_view bytes) override;

 private:
  struct Call {
    std::uint32_t stream = 0;
    bool hasAnswer = false;
  };

  Call* callOf(std::uint32_t stream);
  bool isRight(std::string_view message) const;
  Reply end(std::uint32_t stream, std::size_t frameBytes);
  void answer(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload, Reply& reply);

  std::optional<std::size_t> tensorBytes_;
  std::vector<Call> calls_;  // by slot
  std::uint32_t nextStream_ = 1;
  std::int64_t window_ = 65535;  // bytes of data that the server still takes
  std::uint64_t received_ = 0;   // bytes of data since the server's window was last opened again
};

}  // namespace headrace::bench
