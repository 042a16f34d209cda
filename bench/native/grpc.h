// The client's side of HTTP/2 and gRPC, as far as unary ModelInfer calls need it: the same header block with every
// call, no flow control of its own (what is in flight is far below any window), and answers small enough for one frame.
#pragma once

#include <cstddef>
#include <cstdint>
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

/// A call: HEADERS and DATA of stream 0, which `GrpcReader::starting` replaces. Throws UsageError for a message that
/// does not fit one frame.
std::string grpcRequest(std::string_view host, const GrpcNames& names, std::uint64_t sequence, std::string_view tensor);

/// One connection's: it numbers the calls, and knows which stream answers which.
class GrpcReader final : public ReplyReader {
 public:
  /// Expects each answer to end with one raw tensor of `tensorBytes`.
  GrpcReader(std::size_t tensorBytes, std::size_t inFlight) : tensorBytes_(tensorBytes), calls_(inFlight) {}

  void starting(std::size_t slot, std::string_view request, char* copy) override;
  Reply read(std::string_view bytes) override;

 private:
  struct Call {
    std::uint32_t stream = 0;
    bool hasAnswer = false;
  };

  Call* callOf(std::uint32_t stream);
  bool isRight(std::string_view message) const;
  Reply end(std::uint32_t stream, std::size_t frameBytes);

  std::size_t tensorBytes_;
  std::vector<Call> calls_;  // by slot
  std::uint32_t nextStream_ = 1;
};

}  // namespace headrace::bench
