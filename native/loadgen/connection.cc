#include "connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace headrace::bench {

namespace {

constexpr std::size_t kReceiveBytes = 128 * 1024;

}  // namespace

Connection::Connection(UniqueFd fd, std::unique_ptr<ReplyReader> reader, RequestSource& source, std::size_t index,
                       std::size_t stride, std::size_t slots)
    : fd_(std::move(fd)),
      reader_(std::move(reader)),
      source_(&source),
      index_(index),
      stride_(stride),
      inFlight_(slots),
      serials_(slots),
      received_(kReceiveBytes, '\0') {}

void Connection::start(std::size_t slot) {
  const std::size_t own = (slot - index_) / stride_;
  inFlight_[own] = true;
  held_.push_back(own);
  startHeld();
}

void Connection::startHeld() {
  while (!held_.empty()) {
    const std::size_t own = held_.front();
    if (next_.empty()) source_->append(index_ + own * stride_, next_);
    const std::size_t taken = reader_->taken(own, next_, nextSent_);
    if (nextSent_ == 0 && taken > 0) order_.push_back({.own = own, .serial = ++serials_[own]});
    owed_.append(next_, nextSent_, taken);
    nextSent_ += taken;
    if (nextSent_ < next_.size()) return;
    dropHeld();
  }
}

void Connection::dropHeld() {
  next_.clear();
  nextSent_ = 0;
  held_.pop_front();
}

void Connection::flush(Outcomes& outcomes) {
  while (owesBytes()) {
    const ssize_t sent = send(fd(), owed_.data() + sent_, owed_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN && errno != EINTR) lose(std::string("send: ") + std::strerror(errno), outcomes);
      return;
    }
    sent_ += static_cast<std::size_t>(sent);
  }
  owed_.clear();
  sent_ = 0;
}

void Connection::receive(Outcomes& outcomes) {
  if (unread_ == received_.size()) received_.resize(2 * received_.size());  // a reply larger than the buffer
  const ssize_t got = recv(fd(), received_.data() + unread_, received_.size() - unread_, 0);
  if (got <= 0) {
    if (got == 0) {
      lose("the server closed the connection", outcomes);
    } else if (errno != EAGAIN && errno != EINTR) {
      lose(std::string("recv: ") + std::strerror(errno), outcomes);
    }
    return;
  }

  // One reading of the clock serves all replies of this read: they did arrive together.
  unread_ += static_cast<std::size_t>(got);
  take(now(), outcomes);
  if (isOpen()) startHeld();
}

void Connection::take(Nanos at, Outcomes& outcomes) {
  std::string_view bytes(received_.data(), unread_);
  while (!bytes.empty()) {
    const Reply reply = reader_->read(bytes);
    owed_ += reply.owed;
    if (reply.kind == Reply::Kind::incomplete) break;
    if (reply.kind == Reply::Kind::broken) return lose(reply.problem, outcomes);
    bytes.remove_prefix(reply.size);
    if (reply.kind == Reply::Kind::skipped) continue;
    settle(reply, at, outcomes);
    if (!isOpen()) return;
  }
  std::memmove(received_.data(), bytes.data(), bytes.size());
  unread_ = bytes.size();
}

void Connection::settle(const Reply& reply, Nanos at, Outcomes& outcomes) {
  while (!order_.empty() && isAnswered(order_.front())) order_.pop_front();
  if (order_.empty()) return lose("a reply that no request asked for", outcomes);
  const std::size_t own = reply.slot.value_or(order_.front().own);
  if (own >= inFlight_.size() || !inFlight_[own]) return lose("a reply that no request asked for", outcomes);
  inFlight_[own] = false;
  // An answer may come before all of its request has gone; then the rest of it need not.
  if (nextSent_ > 0 && held_.front() == own) dropHeld();
  outcomes.answered(index_ + own * stride_, at, reply.kind == Reply::Kind::wrong ? reply.problem : std::string());
}

void Connection::lose(const std::string& problem, Outcomes& outcomes) {
  std::vector<std::size_t> slots;
  for (std::size_t own = 0; own < inFlight_.size(); ++own) {
    if (inFlight_[own]) slots.push_back(index_ + own * stride_);
    inFlight_[own] = false;
  }
  order_.clear();
  held_.clear();
  next_.clear();
  nextSent_ = 0;
  owed_.clear();
  sent_ = 0;
  fd_ = UniqueFd();
  outcomes.lost(slots, problem);
}

}  // namespace headrace::bench
