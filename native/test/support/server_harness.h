// A server with real sockets, and what JavaScript does with it: reads events, gives commands.
#pragma once

#include <array>
#include <deque>
#include <semaphore>
#include <string>

#include "server.h"

namespace headrace::testing {

inline constexpr Nanos kMilli = 1'000'000;

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

struct Told {
  EventKind kind;
  uint64_t connection;
  std::string head;
  std::string body;
  uint32_t flags;
  double extra;
};

// A thread that does nothing from here on until `end`, in the middle of a turn: what happens meanwhile it finds all at
// once.
class Pause {
 public:
  explicit Pause(IoThread& thread) {
    thread.post([this] {
      begun_.release();
      ended_.acquire();
    });
    begun_.acquire();
  }
  void end() { ended_.release(); }

 private:
  std::binary_semaphore begun_{0};
  std::binary_semaphore ended_{0};
};

class Harness {
 public:
  explicit Harness(const ServerOptions& options = {})
      : server(options, [this] { wakes_.release(); }), port(server.listen("127.0.0.1", 0, false)) {}
  ~Harness() {
    server.stop_listening();
    server.stop(0);
  }

  // The next event of any thread; waits for it.
  Told next() {
    while (told_.empty()) {
      for (size_t i = 0; i < server.threads(); ++i) read(server.thread(i));
      if (told_.empty()) wakes_.acquire();
    }
    Told first = std::move(told_.front());
    told_.pop_front();
    return first;
  }

  // Whether nothing is told, by what the threads have read from their sockets so far.
  bool is_silent() {
    for (size_t i = 0; i < server.threads(); ++i) {
      for (int turn = 0; turn < 3; ++turn) server.thread(i).post_and_wait([] {});
      read(server.thread(i));
    }
    return told_.empty();
  }

  void respond(uint64_t connection, std::string_view body, uint32_t flags = 0) {
    CommandBatch batch;
    batch.commands.push_back({.kind = CommandKind::Respond, .flags = flags, .connection = connection});
    fill(batch, "200 OK\r\nContent-Type: text/plain\r\n", body);
    server.owner_of(connection).submit(batch);
  }

  void say(CommandKind kind, uint64_t connection, std::string_view head = "", std::string_view body = "",
           uint32_t flags = 0, std::array<uint64_t, 3> numbers = {}) {
    CommandBatch batch;
    batch.commands.push_back({.kind = kind, .flags = flags, .connection = connection, .numbers = numbers});
    fill(batch, head, body);
    server.owner_of(connection).submit(batch);
  }

 private:
  static void fill(CommandBatch& batch, std::string_view head, std::string_view body) {
    batch.commands.back().head_bytes = head.size();
    batch.commands.back().body_bytes = body.size();
    for (const std::string_view text : {head, body}) {
      batch.bytes.insert(batch.bytes.end(), bytes_of(text).begin(), bytes_of(text).end());
    }
  }

  void read(IoThread& thread) {
    while (const EventBlock* block = thread.drain()) {
      for (const Event& event : block->events()) {
        const char* at = reinterpret_cast<const char*>(block->memory().get()) + event.offset;
        told_.push_back({event.kind, event.connection, std::string(at, event.head_bytes),
                         std::string(at + event.head_bytes, event.body_bytes), event.flags, event.extra[0]});
      }
    }
  }

  std::counting_semaphore<> wakes_{0};
  std::deque<Told> told_;

 public:
  Server server;
  const uint16_t port;
};

}  // namespace headrace::testing
