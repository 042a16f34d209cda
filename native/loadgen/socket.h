// TCP to a local server, blocking until the handshake is over and non-blocking from then on.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace headrace::bench {

/// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Throws std::system_error with the name of the call that failed.
[[noreturn]] void throwErrno(const char* call);

/// A connected socket without Nagle's delay; blocking, and giving up on a silent server after 5 s.
UniqueFd connectTo(const std::string& ip, std::uint16_t port);

/// Sends all of `bytes`. Blocking sockets only.
void sendAll(int fd, std::string_view bytes);

/// Reads up to and including the blank line that ends an HTTP head, never further. Blocking sockets only.
std::string readHttpHead(int fd);

void makeNonBlocking(int fd);

}  // namespace headrace::bench
