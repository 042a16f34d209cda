// The door of a server: sockets of clients as they come.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "io_thread.h"

namespace headrace {
namespace {

// More of them wait for the next turn, so that those who are inside are served as well.
constexpr int kAcceptsPerTurn = 64;
// For the last packet of a handshake to come, when the door is shut.
constexpr int kHalfWayMillis = 10;

std::string text_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(), text.size());
  } else if (address.ss_family == AF_INET6) {
    const in6_addr& ip = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    // A client of IPv4 at a socket of both.
    if (IN6_IS_ADDR_V4MAPPED(&ip))
      inet_ntop(AF_INET, &ip.s6_addr[12], text.data(), text.size());
    else
      inet_ntop(AF_INET6, &ip, text.data(), text.size());
  }
  return text.data();
}

bool is_out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// Lets a listening socket see no packet that does not acknowledge one (RFC 9293 3.5): none that begins a handshake.
void keep_out_new_ones(int fd) {
  constexpr uint32_t kFlags = 13;  // in a segment's head
  constexpr uint32_t kAck = 0x10;
  std::array<sock_filter, 4> code{{
      {.code = BPF_LD | BPF_B | BPF_ABS, .jt = 0, .jf = 0, .k = kFlags},
      {.code = BPF_JMP | BPF_JSET | BPF_K, .jt = 0, .jf = 1, .k = kAck},
      {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = UINT32_MAX},
      {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0},
  }};
  const sock_fprog program{.len = code.size(), .filter = code.data()};
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

}  // namespace

void IoThread::accept_all() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!accept_one()) return;
  }
}

// Whoever the system has let in already would be reset with the socket, perhaps with a request that was sent: they are
// taken and told. Nobody begins to come in meanwhile; they try again, and find nobody. Whoever is half-way in, for whom
// the client's side is open already, still gets in.
void IoThread::accept_the_rest() {
  keep_out_new_ones(door_->fd);
  pollfd door{.fd = door_->fd, .events = POLLIN, .revents = 0};
  do {
    while (accept_one()) {
    }
  } while (door_->is_open && poll(&door, 1, kHalfWayMillis) > 0);
}

bool IoThread::accept_one() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  UniqueFd fd(accept4(door_->fd, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) {
    if (errno == EINTR || errno == ECONNABORTED) return true;
    if (is_out_of_descriptors(errno)) {
      // It would be reported as ready for ever; the next tick looks again.
      epoll_ctl(poller_.get(), EPOLL_CTL_DEL, door_->fd, nullptr);
      door_->is_open = false;
    }
    return false;
  }
  if (shared_.connections.fetch_add(1) >= options_.max_connections) {
    shared_.connections.fetch_sub(1);
    shared_.refused.fetch_add(1);
    return true;
  }
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  on_accept(std::move(fd), text_of(address), door_->proxied);
  return true;
}

}  // namespace headrace
