// What all clients together may make the server keep: requests that are not done with, and answers that are not read.
#include <algorithm>
#include <string>

#include "connection.h"
#include "io_thread.h"
#include "threshold.h"

namespace headrace {
namespace {

// Of a client that has sent no more, nothing counts for max_incoming; of one for which no more waits, for max_unread.
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
  const size_t incoming = io_.shared().incoming.load(std::memory_order_relaxed);
  return counted_incoming_ <= before || incoming <= io_.options().max_incoming;
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

// What the system did not take just now, if it is more than a little.
void Connection::count_unread() {
  const size_t bytes = out_.size() > kUncounted ? out_.size() : 0;
  if (bytes == counted_unread_) return;
  io_.shared().unread.fetch_add(bytes - counted_unread_, std::memory_order_relaxed);
  counted_unread_ = bytes;
}

}  // namespace headrace
