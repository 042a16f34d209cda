// Frames of a raw WebSocket with one stream or several, each frame then with its stream's number in front: each gets
// one answer, of the stream that it was for, and what is no step is JavaScript's and is answered in its place.
//
// The first byte of an input says how many streams there are. Then come actions: a byte for what, one for the length of
// what belongs to it, and that.
#include "raw_streams.h"

#include <deque>
#include <optional>

#include "pieces.h"
#include "served_model.h"

namespace headrace::fuzz {
namespace {

constexpr std::string_view kHandshake =
    "GET /stream HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr size_t kMaxStreams = 4;
constexpr std::string_view kMine = "mine: ";

enum class Action : uint8_t { Step, Numbered, Binary, Text, Open, Close, Tap, GoAway };

// Never destroyed: its thread would have to end before what it uses.
ServedModel& host() {
  static ServedModel& host = *new ServedModel();
  return host;
}

std::string masked(uint8_t opcode, std::string_view payload) {
  std::string frame{static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | std::min<size_t>(payload.size(), 126))};
  if (payload.size() >= 126) frame.append({static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())});
  frame.append(4, '\0');  // a mask that changes nothing
  return frame.append(payload);
}

class Session {
 public:
  explicit Session(uint8_t how) : client_(host()) {
    options_.base = "base";
    options_.streams = (how & 7U) % (kMaxStreams + 1);
    options_.owns_state = (how & 0x40) != 0;
    options_.max_in_flight = (how & 0x80) != 0 ? 2 : 1024;
    client_.send(kHandshake);
    settle();
    demand(id_.has_value(), "a handshake is told");
    host().thread.post_and_wait([this] {
      auto streams = std::make_unique<RawStreams>(host().client, options_);
      for (uint32_t i = 0; i < options_.streams; ++i) streams->open(i, "s/" + std::to_string(i), false);
      host().thread.find(*id_)->accept("", {}, std::move(streams));
    });
    settle();
    const size_t head = client_.received().find("\r\n\r\n");
    demand(head != std::string::npos, "a handshake is answered");
    client_.received().erase(0, head + 4);
  }

  void act(Action action, std::string_view bytes) {
    const uint8_t first = bytes.empty() ? 0 : static_cast<uint8_t>(bytes[0]);
    switch (action) {
      case Action::Step:
        return binary(row_of(bytes));
      case Action::Numbered:
        return binary(std::string{static_cast<char>(first % kMaxStreams), 0, 0, 0} + row_of(bytes));
      case Action::Binary:
        return binary(bytes);
      case Action::Text:
        ++sent_;
        // Text that is not UTF-8 ends the connection.
        for (const char c : bytes) is_exact_ = is_exact_ && static_cast<signed char>(c) >= 0;
        return client_.send(masked(1, bytes));
      // JavaScript takes such a wish only of connections whose streams have numbers.
      case Action::Open:
        if (options_.streams == 0) return;
        return with_streams([&](Connection&, RawStreams& streams) { streams.open(first, bytes, (first & 1) != 0); });
      case Action::Close:
        if (options_.streams == 0) return;
        return with_streams([&](Connection&, RawStreams& streams) { streams.close(first, bytes.size() > 1); });
      case Action::Tap:
        return host().thread.post_and_wait([&] { host().client->tap(first % 8, bytes.size() > 1); });
      case Action::GoAway:
        is_exact_ = false;
        return with_streams([](Connection& connection, RawStreams& streams) { streams.go_away(connection); });
    }
  }

  void settle() {
    do {
      host().settle();
      client_.receive();
    } while (read_events(host().thread, [this](const Event& event, std::string_view, std::string_view body) {
      demand(!id_ || event.connection == *id_, "an event of this connection");
      take(event, body);
    }));
  }

  // Steps that are under way, if any are, are too late.
  void expire() {
    host().thread.post_and_wait([] {
      if (host().client->under_way() == 0) return;
      for (uint32_t request = 0; request < host().client->under_way(); ++request)
        host().engine->scheduler().cancel(request, Code::DeadlineExceeded);
    });
  }

  // Goes away, when all is answered.
  void leave() {
    settle();
    read_answers();
    demand(!is_exact_ || answered_ == sent_, "each frame gets one answer");
    client_.leave();
    settle_leaving(host().shared, [this] { settle(); });
    demand(is_closed_, "the end of a WebSocket is told");
    demand(host().client->under_way() == 0, "no step is left");
    demand(host().shared.connections.load() == 0, "connections are counted");
  }

 private:
  static std::string row_of(std::string_view bytes) {
    std::string row(kRowBytes, '\0');
    bytes.copy(row.data(), row.size());
    return row;
  }

  void binary(std::string_view payload) {
    ++sent_;
    client_.send(masked(2, payload));
  }

  template <typename Task>
  void with_streams(Task&& task) {
    // Of a stream that is closed while its steps are under way nobody gets the answers.
    settle();
    host().thread.post_and_wait([&] {
      Connection* const connection = host().thread.find(*id_);
      if (connection == nullptr || connection->frame_handler() == nullptr) return;
      task(*connection, dynamic_cast<RawStreams&>(*connection->frame_handler()));
    });
  }

  void take(const Event& event, std::string_view body) {
    switch (event.kind) {
      case EventKind::Request:
        id_ = event.connection;
        return;
      case EventKind::Control:
        demand(!is_closed_, "a frame of a WebSocket that has not ended");
        return reply(body);
      case EventKind::Tapped:
        return;
      case EventKind::Closed:
        demand(!is_closed_, "the end of a WebSocket, once");
        is_closed_ = true;
        return;
      default:
        demand(false, "a kind of event that such a connection has");
    }
  }

  // JavaScript's answer is the frame itself, as text that no other answer begins with.
  void reply(std::string_view body) {
    const std::string text = std::string(kMine).append(body);
    controls_.push_back(text);
    host().thread.post_and_wait([&] {
      Connection* const connection = host().thread.find(*id_);
      if (connection == nullptr || connection->frame_handler() == nullptr) return;
      auto& streams = dynamic_cast<RawStreams&>(*connection->frame_handler());
      demand(streams.in_flight() == 0, "all before a frame of JavaScript's is answered");
      streams.reply(*connection, Opcode::text, std::as_bytes(std::span(text)));
    });
  }

  void read_answers() {
    const size_t number_bytes = options_.streams > 0 ? 4 : 0;
    std::string_view rest = client_.received();
    while (rest.size() >= 2) {
      const uint8_t opcode = static_cast<uint8_t>(rest[0]) & 0xf;
      size_t size = static_cast<uint8_t>(rest[1]);
      size_t head = 2;
      if (size == 126) {
        size = size_t{static_cast<uint8_t>(rest[2])} << 8 | static_cast<uint8_t>(rest[3]);
        head = 4;
      }
      demand(size < 126 << 8 && head + size <= rest.size(), "answers are whole");
      const std::string_view payload = rest.substr(head, size);
      rest.remove_prefix(head + size);
      if (opcode == 8) is_exact_ = false;  // the server has ended it
      if (opcode != 1 && opcode != 2) continue;
      ++answered_;
      if (opcode == 2) {
        demand(payload.size() == number_bytes + kRowBytes, "an answer is a row");
      } else if (payload.starts_with(kMine)) {
        demand(!controls_.empty() && controls_.front() == payload, "JavaScript's answers in their order");
        controls_.pop_front();
      } else {
        demand(payload.starts_with("{\"error\":"), "what is no answer of JavaScript's is an error");
      }
    }
    demand(rest.empty() || !is_exact_, "answers are whole");
  }

  SocketClient client_;
  RawOptions options_;
  std::optional<uint64_t> id_;
  std::deque<std::string> controls_;
  size_t sent_ = 0;
  size_t answered_ = 0;
  bool is_exact_ = true;  // nothing has happened after which frames need not be answered
  bool is_closed_ = false;
};

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace::fuzz;
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Session session(data[0]);
  rest.remove_prefix(1);
  for (int action = 0; action < 64 && rest.size() >= 2; ++action) {
    const size_t length = std::min<size_t>(static_cast<uint8_t>(rest[1]), rest.size() - 2);
    const std::vector<char> bytes = copy_of(rest.substr(2, length));
    session.act(static_cast<Action>(rest[0] & 7), {bytes.data(), bytes.size()});
    if ((rest[0] & 16) != 0) session.expire();
    // Some are sent together, some one by one.
    if ((rest[0] & 8) != 0) session.settle();
    rest.remove_prefix(2 + length);
  }
  session.leave();
  return 0;
}
