#include "connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <numeric>
#include <string_view>
#include <utility>

namespace headrace::bench {

namespace {

constexpr std::size_t kReceiveBytes = 128 * 1024;
constexpr Nanos kNotSent = -1;

}  // namespace

void Tally::fail(const std::string& problem, std::uint64_t requestsLost) {
  if (errors == 0) firstError = problem;
  errors += requestsLost;
}

Connection::Connection(UniqueFd fd, std::vector<std::string> requests, std::unique_ptr<ReplyReader> reader)
    : fd_(std::move(fd)),
      reader_(std::move(reader)),
      requests_(std::move(requests)),
      startedAt_(requests_.size(), kNotSent),
      answered_(requests_.size()),
      received_(kReceiveBytes, '\0') {
  std::iota(answered_.begin(), answered_.end(), 0);
}

void Connection::fill(Tally& tally) {
  start(now());
  flush(tally);
}

void Connection::start(Nanos at) {
  for (const std::size_t slot : answered_) {
    startedAt_[slot] = at;
    const std::string& request = requests_[slot];
    owed_ += request;
    reader_->starting(slot, request, owed_.data() + owed_.size() - request.size());
  }
  inFlight_ += answered_.size();
  answered_.clear();
}

void Connection::flush(Tally& tally) {
  while (owesBytes()) {
    const ssize_t sent = send(fd(), owed_.data() + sent_, owed_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN && errno != EINTR) lose(std::string("send: ") + std::strerror(errno), tally);
      return;
    }
    sent_ += static_cast<std::size_t>(sent);
  }
  owed_.clear();
  sent_ = 0;
}

void Connection::receive(Tally& tally) {
  if (unread_ == received_.size()) received_.resize(2 * received_.size());  // a reply larger than the buffer
  const ssize_t got = recv(fd(), received_.data() + unread_, received_.size() - unread_, 0);
  if (got <= 0) {
    if (got == 0) {
      lose("the server closed the connection", tally);
    } else if (errno != EAGAIN && errno != EINTR) {
      lose(std::string("recv: ") + std::strerror(errno), tally);
    }
    return;
  }

  // One reading of the clock serves all replies of this read: they did arrive together.
  const Nanos at = now();
  unread_ += static_cast<std::size_t>(got);
  take(at, tally);
  if (!isOpen() || !tally.sending) return;
  start(at);
  flush(tally);
}

void Connection::take(Nanos at, Tally& tally) {
  std::string_view bytes(received_.data(), unread_);
  while (!bytes.empty()) {
    const Reply reply = reader_->read(bytes);
    if (reply.kind == Reply::Kind::incomplete) break;
    if (reply.kind == Reply::Kind::broken) return lose(reply.problem, tally);
    bytes.remove_prefix(reply.size);
    if (reply.kind == Reply::Kind::skipped) continue;
    settle(reply, at, tally);
  }
  std::memmove(received_.data(), bytes.data(), bytes.size());
  unread_ = bytes.size();
}

void Connection::settle(const Reply& reply, Nanos at, Tally& tally) {
  const std::size_t slot = reply.slot.value_or(oldest_);
  if (slot >= requests_.size() || startedAt_[slot] == kNotSent) return lose("a reply that no request asked for", tally);
  const Nanos latency = at - startedAt_[slot];
  startedAt_[slot] = kNotSent;
  answered_.push_back(slot);
  oldest_ = (slot + 1) % requests_.size();
  inFlight_ -= 1;
  if (reply.kind == Reply::Kind::wrong) {
    tally.fail(reply.problem);
  } else if (tally.measuring) {
    tally.requests += 1;
    tally.latencies.record(latency);
  }
}

void Connection::lose(const std::string& problem, Tally& tally) {
  tally.fail(problem, std::max<std::size_t>(1, inFlight_));
  inFlight_ = 0;
  owed_.clear();
  sent_ = 0;
  fd_ = UniqueFd();
}

}  // namespace headrace::bench
