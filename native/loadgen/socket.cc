#include "socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace headrace::bench {

namespace {

constexpr std::size_t kMaxHttpHead = 16 * 1024;

template <typename Value>
void setOption(int fd, int level, int option, const Value& value) {
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) throwErrno("setsockopt");
}

}  // namespace

void throwErrno(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

UniqueFd connectTo(const std::string& ip, std::uint16_t port) {
  sockaddr_storage address{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (inet_pton(AF_INET, ip.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
  } else if (inet_pton(AF_INET6, ip.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
  } else {
    throw std::invalid_argument("not an IP address: " + ip);
  }

  UniqueFd fd(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throwErrno("socket");
  setOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  setOption(fd.get(), SOL_SOCKET, SO_RCVTIMEO, timeval{.tv_sec = 5, .tv_usec = 0});
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throwErrno("connect");
  return fd;
}

void sendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) throwErrno("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string readHttpHead(int fd) {
  std::string head;
  // One byte at a time: what follows the head belongs to the connection's own buffer, and this happens once.
  while (!head.ends_with("\r\n\r\n")) {
    char byte = 0;
    const ssize_t got = recv(fd, &byte, 1, 0);
    if (got < 0) throwErrno("recv");
    if (got == 0) throw std::runtime_error("the server closed the connection in the handshake");
    if (head.size() == kMaxHttpHead) throw std::runtime_error("the server's handshake answer has no end");
    head += byte;
  }
  return head;
}

void makeNonBlocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) throwErrno("fcntl");
}

}  // namespace headrace::bench
