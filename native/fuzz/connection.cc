// A connection fed with anything. The first two bytes of an input say how: what follows is sent to a thread of a
// server, cut into pieces, and JavaScript's part is played by a partner who is dependable or not.
//
// Of the dependable one it is demanded that requests, messages and answers are the same as when all is sent at once, of
// both that events come in an order that makes sense, and that nothing is left when the client has gone.
#include <fcntl.h>
#include <sys/socket.h>

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "io_thread.h"
#include "pieces.h"
#include "property.h"
#include "sockets.h"

namespace headrace::fuzz {
namespace {

// What happened on a connection, as text; written by the server's thread and by this one.
class Transcript {
 public:
  void add(std::string_view what, std::string_view more = "") {
    std::lock_guard lock(mutex_);
    text_.append(what).append(more).append("\n");
  }
  std::string take() {
    std::lock_guard lock(mutex_);
    return std::exchange(text_, {});
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

Transcript transcript;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Takes what is asked of paths under /h, but for bodies that begin with an x.
class Handler final : public RequestHandler {
 public:
  bool wants(const HttpHead& head) const override { return head.path.starts_with("/h"); }
  bool request(Connection& connection, const HttpHead& head, std::span<const std::byte> body) override {
    if (text_of(body).starts_with('x')) return false;
    transcript.add("handled ", head.path);
    transcript.add(text_of(body));
    connection.respond("200 OK\r\n", body);
    return true;
  }
  void aborted(Connection&) override { demand(false, "an answer given at once cannot be aborted"); }
};

// The server's thread; one for all inputs.
struct Host {
  Host() {
    thread.post_and_wait([this] { thread.add(handler); });
  }

  void settle() {
    fuzz::settle(thread, client, [] { return false; });
  }

  Handler handler;
  ServerShared shared;
  IoThread thread{0, ServerOptions{}, shared, [] {}};
  int client = -1;  // its end of the sockets
};

Host& host() {
  static Host host;
  return host;
}

// One client, and the partner who plays JavaScript's part for it.
class Session {
 public:
  // `seed` 0: dependable.
  explicit Session(uint32_t seed) : seed_(seed) {
    int ends[2];
    demand(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
    client_.reset(ends[0]);
    host().client = ends[0];
    const auto server = std::make_shared<UniqueFd>(ends[1]);
    host().shared.connections.fetch_add(1);
    host().thread.load.fetch_add(1);
    host().thread.post_and_wait([&] { host().thread.adopt(std::move(*server), "client", (seed & 0x80) != 0); });
  }

  void send(std::span<const char> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(client_.get(), bytes.data(), std::min(bytes.size(), kSentAtOnce), MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN) break;  // the server has ended it
      bytes = bytes.subspan(count < 0 ? 0 : static_cast<size_t>(count));
      if (count < 0) settle();
    }
    settle();
  }

  // Goes away; what the client was sent, but for a WebSocket, whose pongs need not wait for its messages' answers.
  std::string leave() {
    host().client = -1;
    client_.reset();
    settle_leaving(host().shared, [this] { settle(); });
    demand(host().shared.connections.load() == 0, "a connection whose client has gone is gone");
    demand(!is_asked_ && !is_accepted_, "whoever was asked is told of the end");
    return is_web_socket_ ? "" : received_;
  }

 private:
  void settle() {
    do {
      host().settle();
      receive();
    } while (read_events());
  }

  void receive() {
    char piece[4096];
    for (;;) {
      const ssize_t count = client_ ? recv(client_.get(), piece, sizeof piece, 0) : 0;
      if (count <= 0) return;
      received_.append(piece, static_cast<size_t>(count));
    }
  }

  bool read_events() {
    bool any = false;
    while (const EventBlock* block = host().thread.drain()) {
      for (const Event& event : block->events()) {
        any = true;
        demand(event.connection == id_.value_or(event.connection), "an event of this connection");
        id_ = event.connection;
        demand(size_t{event.offset} + event.head_bytes + event.body_bytes <= block->capacity(), "within the block");
        const char* const at = reinterpret_cast<const char*>(block->memory().get()) + event.offset;
        take(event, {at, event.head_bytes}, {at + event.head_bytes, event.body_bytes});
      }
    }
    return any;
  }

  void take(const Event& event, std::string_view head, std::string_view body) {
    switch (event.kind) {
      case EventKind::Request:
        return asked(event.flags, head, body);
      case EventKind::Body:
        demand(!is_whole_, "a piece of a body that is to come");
        is_whole_ = (event.flags & event_flags::kBodyComplete) != 0;
        if (!is_asked_) return;  // it was on its way when the answer was given
        body_.append(body);
        return answer();
      case EventKind::Aborted:
        demand(!is_aborted_, "the end of an exchange, once");
        is_aborted_ = true;
        if (is_asked_) transcript.add("aborted after ", body_);
        is_asked_ = is_telling_ = false;
        return;
      case EventKind::Sent:
        demand(is_telling_ || is_web_socket_, "an exchange of which it was wanted");
        is_telling_ = false;
        return;
      case EventKind::Message:
        demand(is_accepted_, "a message of a WebSocket");
        transcript.add("message ", body);
        say(CommandKind::Send, "", body, event.flags == event_flags::kBinary ? 2 : 1);
        if (chance(8)) end();
        return;
      case EventKind::Closed:
        demand(is_accepted_, "the end of a WebSocket that has not ended");
        transcript.add("closed ", std::to_string(event.extra[0]));
        is_accepted_ = false;
        return;
      default:
        demand(false, "a kind of event that is known");
    }
  }

  void asked(uint32_t flags, std::string_view head, std::string_view body) {
    demand(!is_asked_ && !is_accepted_ && !is_aborted_, "a request when the one before is answered");
    demand(is_whole_, "a request when all of the one before has come");
    demand(std::count(head.begin(), head.end(), '\n') >= 2 && head.ends_with('\n'), "lines");
    is_asked_ = true;
    is_whole_ = (flags & event_flags::kBodyComplete) != 0;
    is_upgrade_ = (flags & event_flags::kUpgrade) != 0;
    body_ = body;
    transcript.add("request ", head);
    answer();
  }

  void answer() {
    if (seed_ == 0) {
      if (!is_whole_) return;
      transcript.add("body ", body_);
    } else {
      if (chance(4)) return;
      if (chance(16)) return say(CommandKind::Abort);
    }
    if (is_upgrade_ && (seed_ == 0 || !chance(4))) {
      is_asked_ = false;
      is_accepted_ = is_web_socket_ = true;
      return say(CommandKind::Accept, "X-Some: thing\r\n", "", 0, {1000, 0, 1 << 20});
    }
    is_asked_ = false;
    is_telling_ = chance(4);
    say(CommandKind::Respond, "200 OK\r\n", body_, is_telling_ ? respond_flags::kTell : 0);
  }

  void end() { say(CommandKind::End, "no more", "", 1000); }

  // One time in so many; never of one who is dependable.
  bool chance(uint32_t times) {
    if (seed_ == 0) return false;
    seed_ = seed_ * 1664525 + 1013904223;
    return (seed_ >> 16) % times == 0;
  }

  void say(CommandKind kind, std::string_view head = "", std::string_view body = "", uint32_t flags = 0,
           std::array<uint64_t, 3> numbers = {}) {
    CommandBatch batch;
    batch.commands.push_back({.kind = kind, .flags = flags, .connection = *id_, .numbers = numbers});
    batch.commands.back().head_bytes = head.size();
    batch.commands.back().body_bytes = body.size();
    for (const std::string_view text : {head, body}) {
      const auto bytes = std::as_bytes(std::span(text));
      batch.bytes.insert(batch.bytes.end(), bytes.begin(), bytes.end());
    }
    host().thread.submit(batch);
  }

  uint32_t seed_;
  std::optional<uint64_t> id_;  // known from the first event on
  UniqueFd client_;
  std::string received_;
  std::string body_;
  bool is_asked_ = false;       // a request is under way
  bool is_whole_ = true;        // and all of it has come
  bool is_aborted_ = false;     // it was the last one
  bool is_upgrade_ = false;     // and it may become a WebSocket
  bool is_telling_ = false;     // Sent or Aborted is still to come
  bool is_accepted_ = false;    // it is a WebSocket
  bool is_web_socket_ = false;  // or was one
};

// What does not depend on when something came.
std::string without_dates(std::string text) {
  constexpr std::string_view kDate = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  for (size_t at = text.find("Date: "); at != std::string::npos; at = text.find("Date: ", at))
    text.erase(at, kDate.size());
  for (size_t at = text.find(kContinue); at != std::string::npos; at = text.find(kContinue))
    text.erase(at, kContinue.size());
  return text;
}

std::string run(std::string_view text, uint32_t cuts, uint32_t seed) {
  Session session(seed);
  if (cuts == 0) {
    session.send(copy_of(text));
  } else {
    for (int piece = 0; piece < 6 && !text.empty(); ++piece) {
      cuts = cuts * 1664525 + 1013904223;
      const size_t longest = (cuts & 0x1000) != 0 ? text.size() : std::min<size_t>(text.size(), 16);
      const size_t size = 1 + (cuts >> 16) % longest;
      session.send(copy_of(text.substr(0, size)));
      text.remove_prefix(size);
    }
    session.send(copy_of(text));
  }
  const std::string received = without_dates(session.leave());
  return transcript.take() + received;
}

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace::fuzz;
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  const std::string pieces = run(text, 1U + data[0], data[1]);
  if (data[1] != 0) return 0;
  const std::string whole = run(text, 0, 0);
  if (pieces != whole) std::fprintf(stderr, "in pieces:\n%s\nat once:\n%s\n", pieces.c_str(), whole.c_str());
  demand(pieces == whole, "the same as when all comes at once");
  return 0;
}
