// What an I/O thread asks before it turns to JavaScript. All of it runs on the thread that owns the connection.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "http_head.h"
#include "ws_frame.h"

namespace headrace {

class Connection;

// A whole message as it came. Its bytes may be written to, and are gone after the call.
class FramePayload {
 public:
  FramePayload(std::span<std::byte> bytes, const XorMask& mask) : bytes_(bytes), mask_(mask) {}

  size_t size() const { return bytes_.size(); }
  std::span<std::byte> unmasked() {
    std::exchange(mask_, {}).remove(bytes_.data(), bytes_.size());
    return bytes_;
  }
  // For who copies it anyway: what `mask` still lies on.
  std::span<const std::byte> masked() const { return bytes_; }
  const XorMask& mask() const { return mask_; }

 private:
  std::span<std::byte> bytes_;
  XorMask mask_;
};

// Takes the messages of one WebSocket, which owns it.
class FrameHandler {
 public:
  virtual ~FrameHandler() = default;

  // A whole message; where it is text, UTF-8.
  virtual void message(Connection& connection, Opcode opcode, FramePayload& payload) = 0;
  // All that was sent has been taken by the system, after it had not been for a while.
  virtual void drained(Connection& connection) { static_cast<void>(connection); }
  // More unread answers than Connection::max_unsent: by default the connection ends with 1013.
  virtual void overflowing(Connection& connection);
  // The socket is gone, or its end has begun; called once. `code` as in a close frame; 1006: without one.
  virtual void closed(Connection& connection, unsigned code, std::span<const std::byte> reason) = 0;
};

// Answers whole requests without JavaScript. Owned by whoever added it to the I/O thread.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;

  // Whether a request may be one for `request`: then its body is put together first, if it is not too large.
  virtual bool wants(const HttpHead& head) const = 0;
  // True: it will be answered, by Connection::respond, before this returns or later on this thread. False: nothing was
  // done, and JavaScript gets it.
  virtual bool request(Connection& connection, const HttpHead& head, std::span<const std::byte> body) = 0;
  // The client of a request that was taken has gone; it is not to be answered.
  virtual void aborted(Connection& connection) = 0;
};

// Something that runs once in every turn of an I/O thread, after its sockets were read and before answers are written.
class TurnWork {
 public:
  virtual ~TurnWork() = default;

  // True: there is more to do, so that the thread must not sleep.
  virtual bool turn() = 0;
};

}  // namespace headrace
