// What a connection needs to know about a protocol: where one reply ends, and whether it is the right one.
#pragma once

#include <cstddef>
#include <optional>
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

  /// Whether the server takes a request of so many bytes now. Asked again after each reply.
  virtual bool mayStart(std::size_t bytes) {
    static_cast<void>(bytes);
    return true;
  }

  /// The request of a slot is about to be sent: `bytes` of it at `request`, which may be changed.
  virtual void starting(std::size_t slot, char* request, std::size_t bytes) {
    static_cast<void>(slot);
    static_cast<void>(request);
    static_cast<void>(bytes);
  }

  /// `bytes` is everything unread, oldest first. Looks at the first reply only.
  virtual Reply read(std::string_view bytes) = 0;
};

}  // namespace headrace::bench
