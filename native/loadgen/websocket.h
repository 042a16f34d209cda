// The client's side of RFC 6455, as far as a request-reply stream of binary frames needs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "reply_reader.h"

namespace headrace::bench {

/// Upgrades the blocking socket `fd`; `headers` are further lines, each with its end. Throws std::runtime_error when
/// the server declines.
void upgradeToWebSocket(int fd, const std::string& host, const std::string& path, const std::string& headers = "");

/// A final binary frame, masked with `mask` as RFC 6455 5.3 demands of clients. Masking once per connection instead of
/// once per frame keeps the generator cheap; the server unmasks every frame all the same.
std::string binaryFrame(std::string_view payload, std::uint32_t mask);

/// Bytes in front of the payload of a frame that `binaryFrame` made.
std::size_t frameHeadBytes(std::string_view frame);

/// Masks bytes that begin at `offset` of a payload.
void applyMask(std::string& bytes, std::uint32_t mask, std::size_t offset);

/// Expects each reply to be one unfragmented binary frame of `replyBytes`, or of any size where that is not given, with
/// the number of its stream (u32, little-endian) in front of them if `numbered`. A text frame is the server's error
/// report.
class WebSocketReader final : public ReplyReader {
 public:
  WebSocketReader(std::optional<std::size_t> replyBytes, bool numbered)
      : replyBytes_(replyBytes), numbered_(numbered) {}

  Reply read(std::string_view bytes) override;

 private:
  Reply readAnswer(std::string_view payload, std::size_t frameBytes) const;

  std::optional<std::size_t> replyBytes_;
  bool numbered_;
};

}  // namespace headrace::bench
