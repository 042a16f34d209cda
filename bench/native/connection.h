// One connection of the closed loop: it keeps a fixed number of requests in flight and times each of them.
#pragma once

#include <cstdint>
#include <memory>
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
  /// `fd` is past its handshake and non-blocking. As many requests are in flight as there are `requests`, each sent
  /// again as soon as it is answered.
  Connection(UniqueFd fd, std::vector<std::string> requests, std::unique_ptr<ReplyReader> reader);

  /// Sends requests until as many are in flight as there may be.
  void fill(Tally& tally);

  /// Takes what has arrived and, while the run is sending, sends as many new requests in one write.
  void receive(Tally& tally);

  /// Sends what is owed, as far as the socket takes it.
  void flush(Tally& tally);

  int fd() const { return fd_.get(); }
  bool isOpen() const { return static_cast<bool>(fd_); }
  bool owesBytes() const { return sent_ < owed_.size(); }
  std::size_t inFlight() const { return inFlight_; }

 private:
  void start(Nanos at);
  void take(Nanos at, Tally& tally);
  void settle(const Reply& reply, Nanos at, Tally& tally);
  void lose(const std::string& problem, Tally& tally);

  UniqueFd fd_;
  std::unique_ptr<ReplyReader> reader_;

  std::vector<std::string> requests_;
  std::vector<Nanos> startedAt_;       // when each of them was sent last
  std::vector<std::size_t> answered_;  // those to be sent again
  std::size_t inFlight_ = 0;
  std::size_t oldest_ = 0;  // where replies do not say what they answer: they come in the order of the requests

  std::string owed_;      // requests to be written together, of which the first
  std::size_t sent_ = 0;  // bytes are written

  std::string received_;  // its first `unread_` bytes are waiting for the rest of a reply
  std::size_t unread_ = 0;
};

}  // namespace headrace::bench
