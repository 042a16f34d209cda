// What comes from a socket and goes to it, whatever protocol it speaks.
#include "connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "io_thread.h"
#include "threshold.h"

namespace headrace {
namespace {

// So much of what came is copied in front of what comes next; more than that stays where it is.
constexpr size_t kCopiedBytes = threshold(16 << 10);
constexpr size_t kReadBytes = threshold(64 << 10);
// A client that sends while it is not listened to may be so far ahead.
constexpr size_t kMaxAhead = threshold(64 << 10);
// What an event costs besides its bytes: many small ones must not cost more than one that is large.
constexpr size_t kEventCost = 128;
// Bytes in events that JavaScript has not read; beyond it, the client waits.
constexpr size_t kMaxUnacknowledged = threshold(512 << 10);
// Answers that the client has not read; beyond it, its next request waits.
constexpr size_t kMaxUnread = threshold(256 << 10);
// A buffer of what came that is larger is given back once it is empty.
constexpr size_t kKeptPending = threshold(256 << 10);
// How long who has come may take until the first request, when all are told to go. Well above a turn of a busy client.
constexpr Nanos kFirstRequest = 1'000'000'000;
// For a client to read the end of an answer, and to close.
constexpr Nanos kLinger = 2'000'000'000;

}  // namespace

Connection::Connection(IoThread& io, uint64_t id, UniqueFd fd, std::string address)
    : io_(io), id_(id), fd_(std::move(fd)), address_(std::move(address)), last_input_(io.now()) {
  deadline_ = io.now() + io.options().head_timeout;
}

Connection::~Connection() = default;

bool Connection::wants_input() const {
  switch (state_) {
    case State::Proxy:
    case State::Ending:
      return true;
    case State::Head:
      return !tell_sent_ && out_.size() < kMaxUnread && unacknowledged_ < kMaxUnacknowledged &&
             !(waits_for_reader_ && io_.is_behind());
    case State::Body:
      return unacknowledged_ < kMaxUnacknowledged && !io_.is_behind();
    case State::WebSocket:
      return !paused_ && unacknowledged_ < kMaxUnacknowledged;
    case State::Answering:
    case State::Flushing:
    case State::Lingering:
    case State::Closed:
      return false;
  }
  return false;
}

void Connection::readable(bool is_gone) {
  if (state_ == State::Lingering) return drop_input();
  if (!wants_input() && pending_.size() >= kMaxAhead) {
    // That it is gone is reported whatever is watched for, and would be for ever.
    if (is_gone) return close();
    return watch(false, writes_);
  }
  const size_t kept = pending_.size();
  size_t got = 0;
  if (kept > kCopiedBytes) {
    pending_.resize(kept + kReadBytes);
    const bool came = receive_into(std::span(pending_).subspan(kept), got);
    if (!is_open()) return;
    pending_.resize(kept + got);
    if (came) consume(pending_);
    return;
  }
  const std::span<char> scratch = io_.scratch();
  if (!receive_into(scratch.subspan(kept), got)) return;
  std::copy(pending_.begin(), pending_.end(), scratch.begin());
  pending_.clear();
  consume(scratch.first(kept + got));
}

// False: nothing came, and the connection may have ended.
bool Connection::receive_into(std::span<char> room, size_t& got) {
  const ssize_t count = recv(fd_.get(), room.data(), room.size(), 0);
  if (count > 0) {
    got = static_cast<size_t>(count);
    last_input_ = io_.now();
    return true;
  }
  if (count == 0 && !out_.empty() && (state_ == State::Head || state_ == State::Flushing)) {
    // It sends nothing more, but may well be reading the answer that it has been given.
    end_after_flush();
    watch(false, writes_);
  } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
    close();
  }
  return false;
}

void Connection::drop_input() {
  size_t got = 0;
  receive_into(io_.scratch(), got);
}

// Takes what can be taken and keeps the rest. The bytes are those of `pending_`, or come after all that was there.
void Connection::consume(std::span<char> bytes) {
  size_t at = 0;
  while (at < bytes.size() && wants_input()) {
    const size_t taken = take(bytes.subspan(at));
    if (taken == 0) break;
    at += taken;
  }
  if (!is_open()) return;
  if (bytes.data() == pending_.data()) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(at));
  } else if (at < bytes.size()) {
    pending_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end());
  }
  if (pending_.empty() && pending_.capacity() > kKeptPending) std::vector<char>().swap(pending_);
  if (!count_held()) refuse_incoming();
}

// 0: there is not enough yet.
size_t Connection::take(std::span<char> bytes) {
  switch (state_) {
    case State::Proxy:
      return take_proxy(bytes);
    case State::Head:
      return take_head(bytes);
    case State::Body:
      return body_is_chunked_ ? take_chunks(bytes) : take_body(bytes);
    case State::WebSocket:
    case State::Ending:
      return take_frames(bytes);
    case State::Answering:
    case State::Flushing:
    case State::Lingering:
    case State::Closed:
      return 0;
  }
  return 0;
}

void Connection::proceed() {
  is_resuming = false;
  if (!is_open()) return;
  if (!reads_) watch(true, writes_);
  if (is_open() && !pending_.empty()) consume(pending_);
}

void Connection::pause() { paused_ = true; }

void Connection::resume() {
  paused_ = false;
  listen_again();
}

// What the client did not send while nobody listened is not its fault.
void Connection::listen_again() {
  last_input_ = io_.now();
  if (body_began_ != 0) body_began_ = io_.now();
  mark_resuming();
}

void Connection::acknowledged(size_t bytes) {
  const bool wanted = wants_input();
  unacknowledged_ -= bytes + kEventCost;
  set_throttled();
  if (counted_incoming_ > 0) count_held();
  if (!wanted && wants_input()) listen_again();
}

void Connection::reader_caught_up() {
  waits_for_reader_ = false;
  if (state_ == State::Head || state_ == State::Body) listen_again();
}

void Connection::told(size_t bytes) {
  unacknowledged_ += bytes + kEventCost;
  set_throttled();
}

// At the least pace.
Nanos Connection::time_for(uint64_t bytes) const {
  constexpr Nanos kSecond = 1'000'000'000;
  const uint64_t rate = io_.options().least_rate;
  return static_cast<Nanos>(bytes / rate) * kSecond + static_cast<Nanos>(bytes % rate * kSecond / rate);
}

void Connection::set_throttled() {
  const bool throttled = is_open() && unacknowledged_ >= kMaxUnacknowledged;
  if (throttled == is_throttled_) return;
  is_throttled_ = throttled;
  io_.throttled(throttled);
}

void Connection::flush() {
  is_dirty = false;
  const bool wanted = wants_input();
  write_out();
  if (is_open() && !wanted && wants_input()) mark_resuming();
}

void Connection::write_out() {
  while (!out_.empty()) {
    const std::span<const std::byte> bytes = out_.unsent();
    const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return close();
      if (stalled_since_ == 0) stalled_since_ = io_.now();
      if (!writes_) watch(reads_, true);
      count_unread();
      if (state_ == State::WebSocket && out_.size() > limits_.max_unsent) frames_->overflowing(*this);
      return;
    }
    out_.sent(static_cast<size_t>(count));
    // What it takes buys it time, so that a byte now and then does not keep an answer here for ever.
    if (stalled_since_ != 0)
      stalled_since_ = std::min(io_.now(), stalled_since_ + time_for(static_cast<size_t>(count)));
  }
  flushed();
}

void Connection::flushed() {
  count_unread();
  stalled_since_ = 0;
  const bool was_blocked = writes_;
  if (was_blocked) watch(reads_, false);
  if (!is_open()) return;
  if (tell_sent_) {
    tell_sent_ = false;
    io_.tell({.kind = EventKind::Sent, .connection = id_}, 0);
  }
  if (was_blocked && state_ == State::WebSocket) frames_->drained(*this);
  if (state_ != State::Flushing) return;
  // Closing while the client still sends would reset the connection, and it might never read the answer (RFC 9112 9.6).
  shutdown(fd_.get(), SHUT_WR);
  state_ = State::Lingering;
  deadline_ = io_.now() + kLinger;
  pending_.clear();
  if (!reads_) watch(true, false);
}

void Connection::last_call() {
  if (state_ == State::Head) readable(false);
}

void Connection::leave() {
  // Not without a word: a client would take all that it has no answer to for lost.
  if (state_ == State::WebSocket) end(1001, kStopping);
  end_after_flush();
}

void Connection::end_after_flush() {
  if (state_ == State::Closed || state_ == State::Lingering) return;
  const bool is_idle = state_ == State::Head && !in_head_ && pending_.empty() && out_.empty();
  // Who has just come has not come for nothing: their request gets its refusal.
  if (is_idle && !has_asked_ && io_.now() - last_input_ < kFirstRequest) return;
  if (is_idle) return close();  // nothing was asked, so there is no answer that a reset could destroy
  abandon();
  state_ = State::Flushing;
  deadline_ = 0;
  mark_dirty();
}

void Connection::close() {
  if (state_ == State::Closed) return;
  abandon();
  state_ = State::Closed;
  count_held(0);
  out_.clear();
  count_unread();
  set_throttled();
  fd_.reset();
  io_.bury(*this);
}

// Tells whoever deals with it that it ends.
void Connection::abandon() {
  if (is_under_way()) {
    RequestHandler* handler = std::exchange(handler_, nullptr);
    state_ = State::Flushing;
    if (handler != nullptr)
      handler->aborted(*this);
    else
      io_.tell({.kind = EventKind::Aborted, .connection = id_}, 0);
  } else if (tell_sent_) {
    tell_sent_ = false;
    io_.tell({.kind = EventKind::Aborted, .connection = id_}, 0);
  }
  if (frames_) tell_closed(1006, {});
}

void Connection::tick(Nanos now) {
  const Nanos patience = state_ == State::WebSocket ? limits_.idle_timeout : io_.options().head_timeout;
  if (stalled_since_ != 0 && patience != 0 && now - stalled_since_ > patience) return close();
  if (state_ == State::WebSocket) return tick_web_socket(now);
  if (deadline_ == 0 || now <= deadline_) return;
  if (is_held()) {
    const bool is_between = state_ == State::Head && !in_head_;
    deadline_ = now + (is_between ? io_.options().keep_alive_timeout : io_.options().head_timeout);
    return;
  }
  if (state_ == State::Head && in_head_) return refuse(408, "the request did not come in time");
  close();
}

// Whether it is not for the client to do something: it is not listened to, or still takes the answer before.
bool Connection::is_held() const {
  if (state_ != State::Body && state_ != State::Head) return false;
  return !wants_input() || (state_ == State::Head && !out_.empty());
}

void Connection::watch(bool reads, bool writes) {
  reads_ = reads;
  writes_ = writes;
  io_.watch(*this, reads, writes);
}

void Connection::mark_dirty() {
  if (is_dirty) return;
  is_dirty = true;
  io_.dirty(*this);
}

void Connection::mark_resuming() {
  if (is_resuming || (pending_.empty() && reads_)) return;
  is_resuming = true;
  io_.resuming(*this);
}

}  // namespace headrace
