#include "net_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace headrace::testing {

NetClient::NetClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  }
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void NetClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

bool NetClient::more() {
  char piece[65536];
  const ssize_t count = recv(fd_.get(), piece, sizeof piece, 0);
  if (count <= 0) return false;
  buffer_.append(piece, static_cast<size_t>(count));
  return true;
}

std::string NetClient::take(size_t bytes) {
  while (buffer_.size() < bytes && more()) {
  }
  std::string taken = buffer_.substr(0, bytes);
  buffer_.erase(0, bytes);
  return taken;
}

std::string NetClient::take_until(std::string_view end) {
  size_t at = buffer_.find(end);
  while (at == std::string::npos && more()) at = buffer_.find(end);
  return take(at == std::string::npos ? buffer_.size() : at + end.size());
}

std::string NetClient::answer() {
  std::string text = take_until("\r\n\r\n");
  const size_t at = text.find("\r\nContent-Length: ");
  if (at != std::string::npos) text += take(std::stoul(text.substr(at + 18)));
  return text;
}

std::string NetClient::frame() {
  const std::string head = take(2);
  if (head.size() < 2) return "";
  size_t size = static_cast<unsigned char>(head[1]);
  const size_t more_bytes = size == 127 ? 8 : size == 126 ? 2 : 0;
  if (more_bytes > 0) size = 0;
  for (const char byte : take(more_bytes)) size = size << 8 | static_cast<unsigned char>(byte);
  return head[0] + take(size);
}

bool NetClient::at_end() { return buffer_.empty() && !more(); }

void NetClient::end_sending() { shutdown(fd_.get(), SHUT_WR); }

void NetClient::close(bool reset) {
  const linger how{.l_onoff = reset ? 1 : 0, .l_linger = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &how, sizeof how);
  fd_.reset();
}

std::string masked_frame(uint8_t first, std::string_view payload) {
  std::string frame(1, static_cast<char>(first));
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else {
    const int bytes = payload.size() <= 0xFFFF ? 2 : 8;
    frame += static_cast<char>(0x80 | (bytes == 2 ? 126 : 127));
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
      frame += static_cast<char>(payload.size() >> shift & 0xFF);
  }
  constexpr char kMask[4] = {0x12, 0x34, 0x56, 0x78};
  frame.append(kMask, 4);
  for (size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return frame;
}

std::string handshake(std::string_view path) {
  // The key of the example in RFC 6455 1.3.
  return "GET " + std::string(path) +
         " HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}

}  // namespace headrace::testing
