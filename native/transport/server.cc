#include "server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "status.h"

namespace headrace {
namespace {

constexpr int kBacklog = 1024;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

std::unique_ptr<addrinfo, FreeAddresses> resolve(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) throw Error(Code::NotFound, gai_strerror(failure));
  return std::unique_ptr<addrinfo, FreeAddresses>(found);
}

// Null, and errno says why, where it cannot be had.
UniqueFd open_listening(const addrinfo& address) {
  UniqueFd fd(socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol));
  if (!fd) return fd;
  const int on = 1;
  // A port may be taken again at once after its server has gone; two servers can still not have it at a time.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int off = 0;
  if (address.ai_family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0) return UniqueFd();
  if (::listen(fd.get(), kBacklog) != 0) return UniqueFd();
  return fd;
}

uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  const in_port_t port = address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                                       : reinterpret_cast<const sockaddr_in&>(address).sin_port;
  return ntohs(port);
}

}  // namespace

Server::Server(const ServerOptions& options, const std::function<void()>& wake) {
  for (unsigned index = 0; index < options.threads; ++index) {
    threads_.push_back(std::make_unique<IoThread>(index, options, shared_, wake));
    if (options.realtime) threads_.back()->schedule_first();
  }
}

Server::~Server() {
  stop_listening();
  stop(0);
}

uint16_t Server::listen(const std::string& host, uint16_t port, bool proxied) {
  const auto addresses = resolve(host, port);
  UniqueFd fd;
  for (const addrinfo* address = addresses.get(); address != nullptr && !fd; address = address->ai_next) {
    fd = open_listening(*address);
  }
  if (!fd) throw Error(Code::Unavailable, std::strerror(errno));
  stop_listening();
  shared_.leaving.store(false);
  listening_ = std::move(fd);
  IoThread& first = *threads_.front();
  first.post_and_wait([&] {
    first.on_accept = [this](UniqueFd client, std::string address, bool has_proxy) {
      distribute(std::move(client), std::move(address), has_proxy);
    };
    first.listen_on(listening_.get(), proxied);
  });
  return port_of(listening_.get());
}

void Server::stop_listening() {
  if (!listening_) return;
  shared_.leaving.store(true);
  IoThread& first = *threads_.front();
  first.post_and_wait([&] { first.stop_listening(); });
  listening_.reset();
}

void Server::begin_stop(Nanos linger) {
  for (const auto& thread : threads_) thread->begin_stop(linger);
}

void Server::stop(Nanos linger) {
  MutexLock lock(stop_mutex_);
  begin_stop(linger);
  for (const auto& thread : threads_) thread->stop(linger);
}

// On the first thread.
void Server::distribute(UniqueFd fd, std::string address, bool proxied) {
  const auto least = std::min_element(threads_.begin(), threads_.end(), [](const auto& one, const auto& other) {
    return one->load.load() < other->load.load();
  });
  IoThread& thread = **least;
  thread.load.fetch_add(1);
  if (&thread == threads_.front().get()) {
    thread.adopt(std::move(fd), std::move(address), proxied);
    return;
  }
  // Tasks can be copied, a descriptor cannot.
  const auto shared = std::make_shared<UniqueFd>(std::move(fd));
  thread.post(
      [&thread, shared, address = std::move(address), proxied] { thread.adopt(std::move(*shared), address, proxied); });
}

}  // namespace headrace
