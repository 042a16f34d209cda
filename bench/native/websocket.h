// The client's side of RFC 6455, as far as a request-reply stream of binary frames needs it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reply_reader.h"

namespace headrace::bench {

/// Upgrades the blocking socket `fd`. Throws std::runtime_error when the server declines.
void upgradeToWebSocket(int fd, const std::string& host, const std::string& path);

/// A final binary frame, masked with `mask` as RFC 6455 5.3 demands of clients. Masking once per connection instead of
/// once per frame keeps the generator cheap; the server unmasks every frame all the same.
std::string binaryFrame(std::string_view payload, std::uint32_t mask);

/// Expects each reply to be one unfragmented binary frame of `replyBytes`, with the number of its stream (u32,
/// little-endian) in front of them if `numbered`. A text frame is the server's error report.
class WebSocketReader final : public ReplyReader {
 public:
  WebSocketReader(std::size_t replyBytes, bool numbered) : replyBytes_(replyBytes), numbered_(numbered) {}

  Reply read(std::string_view bytes) override;

 private:
  Reply readAnswer(std::string_view payload, std::size_t frameBytes) const;

  std::size_t replyBytes_;
  bool numbered_;
};

}  // namespace headrace::bench
