// A server's thread with the fixture model "ledger" behind it, y = (31 * state + x) mod 65521 with two equal elements,
// and clients of it over pairs of sockets. One of each for all inputs of a process.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <string>

#include "io_thread.h"
#include "model_client.h"
#include "ort.h"
#include "property.h"
#include "sockets.h"

namespace headrace::fuzz {

// Of an element of a row, and of a row.
inline constexpr size_t kElementBytes = 4;
inline constexpr size_t kRowBytes = 8;

inline ModelConfig ledger_config() {
  open_onnxruntime(HEADRACE_ORT_LIBRARY);
  ModelConfig config;
  config.path = std::string(HEADRACE_MODELS) + "/ledger.onnx";
  config.max_batch = 4;
  config.execution = Execution::Inline;
  // Inputs name states as they like: few are kept, so that the fuzzer's memory does not grow, and some have to go.
  config.max_states = 16;
  config.evict = EvictPolicy::Lru;
  return config;
}

struct ServedModel {
  ServedModel() {
    thread.post_and_wait([this] { client = std::make_shared<ModelClient>(thread, engine, 1); });
  }

  // Until what was sent has been run, too.
  void settle() {
    fuzz::settle(thread, peer, [this] { return client && client->under_way() > 0; });
  }

  std::shared_ptr<Engine> engine = std::make_shared<Engine>(ledger_config());
  std::shared_ptr<ModelClient> client;
  ServerShared shared;
  IoThread thread{0, ServerOptions{}, shared, [] {}};
  int peer = -1;  // the client's end of the sockets
};

// A client's end of a connection to the thread.
class SocketClient {
 public:
  explicit SocketClient(ServedModel& served) : served_(served) {
    int ends[2];
    demand(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
    mine_.reset(ends[0]);
    served_.peer = ends[0];
    const auto server = std::make_shared<UniqueFd>(ends[1]);
    served_.shared.connections.fetch_add(1);
    served_.thread.load.fetch_add(1);
    served_.thread.post_and_wait([&] { served_.thread.adopt(std::move(*server), "client", false); });
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(mine_.get(), bytes.data(), std::min(bytes.size(), kSentAtOnce), MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN) return;  // the server has ended it
      bytes.remove_prefix(count < 0 ? 0 : static_cast<size_t>(count));
      if (count < 0) receive();
    }
  }

  // Takes what has come, without waiting.
  void receive() {
    char piece[4096];
    for (;;) {
      const ssize_t count = mine_ ? recv(mine_.get(), piece, sizeof piece, 0) : 0;
      if (count == 0) is_at_end_ = true;
      if (count <= 0) return;
      received_.append(piece, static_cast<size_t>(count));
    }
  }

  void leave() {
    served_.peer = -1;
    mine_.reset();
  }
  bool is_at_end() const { return is_at_end_; }
  std::string& received() { return received_; }

 private:
  ServedModel& served_;
  UniqueFd mine_;
  std::string received_;
  bool is_at_end_ = false;
};

// Calls `take(event, head, body)` for each event that JavaScript would get. Whether there was any.
template <typename Take>
bool read_events(IoThread& thread, Take&& take) {
  bool any = false;
  while (const EventBlock* block = thread.drain()) {
    for (const Event& event : block->events()) {
      any = true;
      demand(size_t{event.offset} + event.head_bytes + event.body_bytes <= block->capacity(), "within the block");
      const char* const at = reinterpret_cast<const char*>(block->memory().get()) + event.offset;
      take(event, std::string_view(at, event.head_bytes), std::string_view(at + event.head_bytes, event.body_bytes));
    }
  }
  return any;
}

}  // namespace headrace::fuzz
