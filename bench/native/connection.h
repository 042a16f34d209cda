// One connection of the closed loop: it keeps a fixed number of requests in flight and times each of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clock.h"
#include "histogram.h"
#include "reply_reader.h"
#include "socket.h"

namespace headrace::bench {

/// What all connections of a run add up to, and what the run currently asks of them.
struct Tally {
  bool measuring = false;  // count and time good replies; errors count always
  bool sending = true;     // a reply makes room for the next request

  std::uint64_t requests = 0;
  std::uint64_t errors = 0;
  std::string firstError;
  Histogram latencies;

  void fail(const std::string& problem, std::uint64_t requestsLost = 1);
};

class Connection {
 public:
  /// `fd` is past its handshake and non-blocking. `request` is sent over and over. `reader` outlives the connection.
  Connection(UniqueFd fd, const std::string& request, std::size_t inFlight, const ReplyReader& reader);

  /// Sends requests until as many are in flight as there may be.
  void fill(Tally& tally);

  /// Takes what has arrived and, while the run is sending, sends as many new requests in one write.
  void receive(Tally& tally);

  /// Sends what is owed, as far as the socket takes it.
  void flush(Tally& tally);

  int fd() const { return fd_.get(); }
  bool isOpen() const { return static_cast<bool>(fd_); }
  bool owesBytes() const { return owedBytes_ > 0; }
  std::size_t inFlight() const { return inFlight_; }

 private:
  void start(Nanos at);
  void take(Nanos at, Tally& tally);
  void settle(const Reply& reply, Nanos at, Tally& tally);
  void lose(const std::string& problem, Tally& tally);

  UniqueFd fd_;
  const ReplyReader* reader_;

  // The request as often as it can be in flight, so that one write can send many.
  std::string repeated_;
  std::size_t requestBytes_;
  std::size_t sentOfRequest_ = 0;  // how far into a request the last write got
  std::size_t owedBytes_ = 0;

  // When each request in flight was started: a ring, oldest first, because replies come in order.
  std::vector<Nanos> startedAt_;
  std::size_t oldest_ = 0;
  std::size_t inFlight_ = 0;

  std::string received_;  // its first `unread_` bytes are waiting for the rest of a reply
  std::size_t unread_ = 0;
};

}  // namespace headrace::bench
