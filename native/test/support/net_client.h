// A blocking client over a loopback socket, for tests of servers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "unique_fd.h"

namespace headrace::testing {

class NetClient {
 public:
  // Throws std::runtime_error where nobody listens.
  explicit NetClient(uint16_t port);

  void send(std::string_view bytes);
  // Waits until so many bytes have come, and takes them. Fewer where the server ends the connection before.
  std::string take(size_t bytes);
  // Up to and with a text; all there is where the server ends the connection before.
  std::string take_until(std::string_view end);
  // The head of an answer, and its body by Content-Length.
  std::string answer();
  // The next frame of a WebSocket: its first byte, then its payload. Empty at the end of the connection.
  std::string frame();
  // Whether the server ends the connection without sending more.
  bool at_end();
  // Sends nothing more, but goes on reading.
  void end_sending();
  // Ends the connection; `reset`: as a process that dies does.
  void close(bool reset = false);

 private:
  bool more();

  UniqueFd fd_;
  std::string buffer_;
};

// A frame as a client sends it.
std::string masked_frame(uint8_t first, std::string_view payload);
// A handshake for a path.
std::string handshake(std::string_view path);

}  // namespace headrace::testing
