// One connection: it writes the requests of its slots, reads the replies, and says which request each of them answers.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "clock.h"
#include "reply_reader.h"
#include "request_source.h"
#include "socket.h"

namespace headrace::bench {

/// Hears how the requests of connections end. Slots are those of the whole run.
class Outcomes {
 public:
  virtual ~Outcomes() = default;

  /// An empty `problem` is a good answer.
  virtual void answered(std::size_t slot, Nanos at, const std::string& problem) = 0;
  /// The connection is of no more use, and these requests will have no answer.
  virtual void lost(const std::vector<std::size_t>& slots, const std::string& problem) = 0;
};

class Connection {
 public:
  /// `fd` is past its handshake and non-blocking. The connection's slots are the run's slots `index`, `index + stride`
  /// and so on, `slots` of them. `source` outlives the connection.
  Connection(UniqueFd fd, std::unique_ptr<ReplyReader> reader, RequestSource& source, std::size_t index,
             std::size_t stride, std::size_t slots);

  /// Puts the next request of a slot behind what is owed; `flush` sends it. The slot has none in flight.
  void start(std::size_t slot);

  /// Takes what has arrived.
  void receive(Outcomes& outcomes);

  /// Sends what is owed, as far as the socket takes it.
  void flush(Outcomes& outcomes);

  int fd() const { return fd_.get(); }
  bool isOpen() const { return static_cast<bool>(fd_); }
  bool owesBytes() const { return sent_ < owed_.size(); }

  bool isDirty = false;    // for whoever remembers which connections to flush
  bool isWatched = false;  // for whoever watches when it can be written to

 private:
  void startHeld();
  void dropHeld();
  void take(Nanos at, Outcomes& outcomes);
  void settle(const Reply& reply, Nanos at, Outcomes& outcomes);
  void lose(const std::string& problem, Outcomes& outcomes);

  UniqueFd fd_;
  std::unique_ptr<ReplyReader> reader_;
  RequestSource* source_;
  std::size_t index_;
  std::size_t stride_;

  /// A request on its way: which of a slot's it is.
  struct Sent {
    std::size_t own;
    std::uint64_t serial;
  };

  bool isAnswered(const Sent& sent) const { return !inFlight_[sent.own] || serials_[sent.own] != sent.serial; }

  std::vector<bool> inFlight_;          // by the connection's own numbers, as is all below
  std::vector<std::uint64_t> serials_;  // of the slot's last request
  std::deque<Sent> order_;              // the oldest first; answered ones are dropped from its front
  std::deque<std::size_t> held_;        // what the server does not take yet, or not all of
  std::string next_;                    // the request of held_.front(), where it was written already
  std::size_t nextSent_ = 0;            // bytes of it that are owed or sent

  std::string owed_;      // requests to be written together, of which the first
  std::size_t sent_ = 0;  // bytes are written

  std::string received_;  // its first `unread_` bytes are waiting for the rest of a reply
  std::size_t unread_ = 0;
};

}  // namespace headrace::bench
