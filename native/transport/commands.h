// What JavaScript tells an I/O thread, in batches: one for each turn of the event loop in which anything was said.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace headrace {

enum class CommandKind : uint8_t {
  Respond,
  Abort,   // closes the connection at once
  Accept,  // completes the handshake of a WebSocket
  Send,
  End,  // closes a WebSocket
  Task,
};

namespace respond_flags {
inline constexpr uint32_t kNoBody = 1;  // by its status: 204, 304
inline constexpr uint32_t kTell = 2;    // EventKind::Sent is wanted
}  // namespace respond_flags

struct Command {
  CommandKind kind;
  uint32_t flags = 0;
  uint64_t connection = 0;
  // In the batch's bytes: a head, then a body. Of a task: its index.
  size_t offset = 0;
  size_t head_bytes = 0;
  size_t body_bytes = 0;
  std::array<uint64_t, 3> numbers{};
};

struct CommandBatch {
  std::vector<Command> commands;
  std::vector<std::byte> bytes;
  std::vector<std::function<void()>> tasks;

  bool empty() const { return commands.empty(); }
  void clear() {
    commands.clear();
    bytes.clear();
    tasks.clear();
  }
};

}  // namespace headrace
