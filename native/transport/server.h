// A port and the I/O threads behind it. Sockets are accepted by the first thread and handed to the one that has fewest,
// so that a few busy connections are spread evenly, which a socket for each thread (SO_REUSEPORT) does not do.
//
// All of it is called by one thread, the one that made it, unless something else is said.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io_thread.h"

namespace headrace {

class Server {
 public:
  // `wake` is called from any of its threads. Throws Error(ResourceExhausted) where there are no descriptors or threads
  // left for them, and Error(InvalidArgument) where the system does not let them be `realtime`.
  Server(const ServerOptions& options, const std::function<void()>& wake);
  ~Server();

  // Listens on a port; 0 takes any free one. Returns its number. `proxied`: connections begin with a PROXY header.
  // Throws Error(Unavailable) where the port is taken or the address is not this machine's.
  uint16_t listen(const std::string& host, uint16_t port, bool proxied);
  // Lets nobody in any more; connections end with their next answer, until it listens again.
  void stop_listening();
  // From here on requests are refused; does not block, and stop() has to follow. Any thread, once nothing listens.
  void begin_stop(Nanos linger);
  // Closes everything and ends the threads; blocks for `linger` at most. Any thread, once nothing listens. Idempotent.
  void stop(Nanos linger) EXCLUDES(stop_mutex_);

  IoThread& thread(size_t index) { return *threads_[index]; }
  size_t threads() const { return threads_.size(); }
  // The thread that owns a connection.
  IoThread& owner_of(uint64_t connection) { return *threads_[connection % threads_.size()]; }
  const ServerShared& shared() const { return shared_; }

 private:
  void distribute(UniqueFd fd, std::string address, bool proxied);

  ServerShared shared_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  UniqueFd listening_;
  Mutex stop_mutex_;  // held while threads are joined, so that a second stop waits for the first
};

}  // namespace headrace
