// What all clients together may make the server keep: requests that are not done with, and answers that are not read.
#include <algorithm>
#include <string>

#include "connection.h"
#include "io_thread.h"
#include "threshold.h"

namespace headrace {
namespace {

// Of a client that has sent no more, nothing counts for max_incoming; of one that has no more to read, for max_unread.
constexpr size_t kUncounted = threshold(64 << 10);

}  // namespace

// What the client has sent and somebody still has: here, in events, or, of a request, until its answer.
size_t Connection::held_bytes() const {
  const size_t body = is_under_way() ? static_cast<size_t>(body_came_) : 0;
  return pending_.size() + message_.size() + std::max(unacknowledged_, body);
}

// False: it has become more, and together with all others' it is too much. Small requests are not counted, so that they
// are served whatever others send.
bool Connection::count_held() {
  const size_t held = held_bytes();
  const size_t before = counted_incoming_;
  count_held(held > kUncounted ? held : 0);
  return counted_incoming_ <= before || io_.shared().incoming.load(std::memory_order_relaxed) <= io_.options().max_incoming;
}

void Connection::count_held(size_t bytes) {
  if (bytes == counted_incoming_) return;
  io_.shared().incoming.fetch_add(bytes - counted_incoming_, std::memory_order_relaxed);
  counted_incoming_ = bytes;
}

// What is answered already, or only waits for that, is not undone.
void Connection::refuse_incoming() {
  constexpr std::string_view kText =
      "requests and messages that are on their way have too many bytes together (maxIncomingBytes); try again later";
  const bool is_request = state_ == State::Body || (state_ == State::Head && in_head_);
  if (!is_request && state_ != State::WebSocket) return;
  io_.shared().refused_incoming.fetch_add(1, std::memory_order_relaxed);
  if (is_request) return refuse_in_shape(429, "RESOURCE_EXHAUSTED", kText);
  fail(1013, std::string("RESOURCE_EXHAUSTED: ").append(kText));
}

void Connection::count_unread() {
  const size_t bytes = out_.size() > kUncounted ? out_.size() : 0;
  if (bytes == counted_unread_) return;
  io_.shared().unread.fetch_add(bytes - counted_unread_, std::memory_order_relaxed);
  counted_unread_ = bytes;
}

// Whether so many bytes of answers are too much beside those of others. What is alone is kept, however large it is.
bool Connection::is_too_much(size_t unread, size_t of_others) const {
  return unread > kUncounted && of_others > 0 && of_others + unread > io_.options().max_unread;
}

// Its client does not take what it was sent.
void Connection::socket_is_behind() {
  const size_t before = counted_unread_;
  count_unread();
  const size_t of_others = io_.shared().unread.load(std::memory_order_relaxed) - counted_unread_;
  if (counted_unread_ > before && is_too_much(counted_unread_, of_others)) {
    io_.shared().refused_unread.fetch_add(1, std::memory_order_relaxed);
    end(1013, "RESOURCE_EXHAUSTED: answers that clients have not read have too many bytes together (maxUnreadBytes)");
  } else if (out_.size() > limits_.max_unsent) {
    frames_->overflowing(*this);
  }
}

}  // namespace headrace
