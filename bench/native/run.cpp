#include "run.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "cpu_time.h"
#include "json_text.h"

namespace headrace::bench {

namespace {

constexpr double kLastAnswersSeconds = 1;

// Busy for more than this share of the time, the generator, and not the server, may be what was measured.
constexpr double kSaturatedFraction = 0.9;

class Loop {
 public:
  Loop(std::vector<Connection>& connections, Tally& tally) : connections_(connections), tally_(tally) {
    if (!epoll_) throwErrno("epoll_create1");
    for (Connection& connection : connections_) {
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd(), &event) != 0) throwErrno("epoll_ctl");
    }
  }

  /// Sends the first requests.
  void start() {
    for (Connection& connection : connections_) {
      connection.fill(tally_);
      if (connection.isOpen() && connection.owesBytes()) watchWritable(connection, true);
    }
  }

  /// Serves the connections until the time has come or, if that is sooner, `finished` says so.
  ///
  /// It never sleeps: it has a core of its own, and waking a sleeping client is work that the kernel does in the
  /// server's send, which clients on other machines do not cost it.
  template <typename Finished>
  void pump(Nanos until, Finished finished) {
    for (Nanos time = now(); time < until && !finished(); time = now()) {
      const int ready = epoll_wait(epoll_.get(), events_.data(), events_.size(), 0);
      if (ready < 0 && errno != EINTR) throwErrno("epoll_wait");
      if (ready <= 0) continue;
      const Nanos begin = now();
      for (int i = 0; i < ready; ++i) serve(events_[i]);
      busy_ += now() - begin;
    }
  }

  /// Time spent on requests and answers so far, polling left out.
  Nanos busy() const { return busy_; }

  bool noneOpen() const { return std::ranges::none_of(connections_, &Connection::isOpen); }
  bool noneInFlight() const {
    return std::ranges::all_of(connections_, [](const Connection& c) { return c.inFlight() == 0; });
  }

 private:
  void serve(const epoll_event& event) {
    Connection& connection = *static_cast<Connection*>(event.data.ptr);
    const bool owed = event.events & EPOLLOUT;
    if (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) connection.receive(tally_);
    if (connection.isOpen() && owed) connection.flush(tally_);
    if (connection.isOpen() && connection.owesBytes() != owed) watchWritable(connection, connection.owesBytes());
  }

  void watchWritable(Connection& connection, bool wanted) {
    epoll_event event{.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data = {.ptr = &connection}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd(), &event) != 0) throwErrno("epoll_ctl");
  }

  UniqueFd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  std::vector<Connection>& connections_;
  Tally& tally_;
  std::array<epoll_event, 256> events_{};
  Nanos busy_ = 0;
};

}  // namespace

RunResult run(std::vector<Connection>& connections, Timing timing, pid_t serverPid) {
  RunResult result;
  Tally& tally = result.tally;
  Loop loop(connections, tally);
  const auto serverCpu = [serverPid] { return serverPid == 0 ? 0 : cpuSecondsOf(serverPid); };
  const auto noneOpen = [&loop] { return loop.noneOpen(); };

  loop.start();
  loop.pump(now() + nanosOf(timing.warmupSeconds), noneOpen);

  const Nanos busyBefore = loop.busy();
  const double serverBefore = serverCpu();
  const Nanos begin = now();
  tally.measuring = true;
  loop.pump(begin + nanosOf(timing.measuredSeconds), noneOpen);
  result.seconds = secondsOf(now() - begin);
  result.busySeconds = secondsOf(loop.busy() - busyBefore);
  result.serverCpuSeconds = serverCpu() - serverBefore;

  tally.measuring = false;
  tally.sending = false;
  loop.pump(now() + nanosOf(kLastAnswersSeconds), [&loop] { return loop.noneInFlight(); });
  for (const Connection& connection : connections) {
    if (connection.inFlight() > 0) tally.fail("requests without an answer", connection.inFlight());
  }
  return result;
}

std::string RunResult::json() const {
  const double busyFraction = seconds > 0 ? busySeconds / seconds : 0;
  return JsonObject()
      .count("requests", tally.requests)
      .count("errors", tally.errors)
      .string("first_error", tally.firstError)
      .number("seconds", seconds)
      .number("rate", rate())
      .raw("latency_us", tally.latencies.json())
      .number("client_busy_fraction", busyFraction)
      .boolean("saturated", busyFraction > kSaturatedFraction)
      .number("server_cpu_fraction", seconds > 0 ? serverCpuSeconds / seconds : 0)
      .text();
}

}  // namespace headrace::bench
