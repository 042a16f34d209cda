// What a connection needs to know about a protocol: where one reply ends, and whether it is the right one.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace headrace::bench {

/// The outcome of looking at the unread bytes of a connection.
struct Reply {
  enum class Kind {
    incomplete,  // not all there yet
    skipped,     // bytes that answer no request, such as a ping
    good,
    wrong,   // a whole reply, but an error or of the wrong size; the next one can be read
    broken,  // the bytes make no sense or the server hangs up: the connection is of no more use
  };

  Kind kind = Kind::incomplete;
  std::size_t size = 0;      // bytes to drop
  std::string problem = {};  // of `wrong` and `broken`
  std::optional<std::size_t> slot =
      {};                 // which request of the connection it answers, where it says so; else the oldest
  std::string owed = {};  // bytes that the protocol wants sent back, such as a pong
};

/// One for each connection.
class ReplyReader {
 public:
  virtual ~ReplyReader() = default;

  /// How much of the request of a slot the server takes now, of which the first `sent` bytes have gone: these many
  /// more. Asked again after each reply, until all has gone. When none has, the request may still be changed.
  virtual std::size_t taken(std::size_t slot, std::span<char> request, std::size_t sent) {
    static_cast<void>(slot);
    return request.size() - sent;
  }

  /// `bytes` is everything unread, oldest first. Looks at the first reply only.
  virtual Reply read(std::string_view bytes) = 0;
};

}  // namespace headrace::bench
