#include "run.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "cpu_time.h"
#include "json_text.h"

namespace headrace::bench {

namespace {

// Busy for more than this share of the time, the generator, and not the server, may be what was measured.
constexpr double kSaturatedFraction = 0.9;

constexpr Nanos kMillisecond = 1'000'000;
constexpr Nanos kLongestSleep = 100 * kMillisecond;

class Loop {
 public:
  Loop(std::vector<Connection>& connections, Slots& slots, Pacer& pacer, bool spin)
      : connections_(connections), slots_(slots), pacer_(pacer), spin_(spin) {
    if (!epoll_) throwErrno("epoll_create1");
    // What is due is sent then, and not up to 50 us later, as the system would have it.
    if (!spin) prctl(PR_SET_TIMERSLACK, 1);
    for (Connection& connection : connections_) {
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd(), &event) != 0) throwErrno("epoll_ctl");
    }
  }

  void start() {
    pacer_.begin(now());
    flush();
  }

  /// Sends what was due until then: a generator that was held up must not forget the end of its schedule.
  void catchUp(Nanos at) {
    if (pacer_.nextDue() > at) return;
    pacer_.due(at);
    flush();
  }

  /// Serves the connections until the time has come or, if that is sooner, `finished` says so.
  template <typename Finished>
  void pump(Nanos until, Finished finished) {
    for (Nanos time = now(); time < until && !finished(); time = now()) {
      if (pacer_.nextDue() <= time) {
        pacer_.due(time);
        flush();
        busy_ += now() - time;
        time = now();
      }
      if (!spin_) sleep(std::min(pacer_.nextDue(), until) - time);
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

 private:
  /// Until something is to be read, or for so long: epoll itself knows only milliseconds.
  void sleep(Nanos most) const {
    pollfd connections{.fd = epoll_.get(), .events = POLLIN, .revents = 0};
    const timespec time{.tv_sec = 0, .tv_nsec = std::clamp<Nanos>(most, 0, kLongestSleep)};
    if (ppoll(&connections, 1, &time, nullptr) < 0 && errno != EINTR) throwErrno("ppoll");
  }

  void serve(const epoll_event& event) {
    Connection& connection = *static_cast<Connection*>(event.data.ptr);
    if (!connection.isOpen()) return;
    if (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) connection.receive(slots_);
    if (!slots_.freed().empty()) {
      freed_.swap(slots_.freed());
      pacer_.freed(freed_, now());
      freed_.clear();
    }
    if (connection.isOpen() && !connection.isDirty && connection.owesBytes()) settle(connection);
    flush();
  }

  void flush() {
    for (Connection* connection : slots_.dirty()) {
      connection->isDirty = false;
      if (connection->isOpen()) settle(*connection);
    }
    slots_.dirty().clear();
  }

  void settle(Connection& connection) {
    connection.flush(slots_);
    if (!connection.isOpen() || connection.owesBytes() == connection.isWatched) return;
    connection.isWatched = connection.owesBytes();
    epoll_event event{.events = connection.isWatched ? EPOLLIN | EPOLLOUT : EPOLLIN, .data = {.ptr = &connection}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd(), &event) != 0) throwErrno("epoll_ctl");
  }

  UniqueFd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  std::vector<Connection>& connections_;
  Slots& slots_;
  Pacer& pacer_;
  bool spin_;
  std::array<epoll_event, 256> events_{};
  std::vector<std::size_t> freed_;
  Nanos busy_ = 0;
};

}  // namespace

CpuUse run(std::vector<Connection>& connections, Slots& slots, Pacer& pacer, Measurement& measurement,
           const RunOptions& options) {
  const Timing& timing = options.timing;
  Loop loop(connections, slots, pacer, options.spin);
  const auto serverCpu = [&options] { return options.serverPid == 0 ? 0 : cpuSecondsOf(options.serverPid); };
  const auto noneOpen = [&loop] { return loop.noneOpen(); };

  loop.start();
  loop.pump(now() + nanosOf(timing.warmup), noneOpen);
  while (!options.mayBegin() && !loop.noneOpen()) loop.pump(now() + kMillisecond, noneOpen);

  const Nanos busyBefore = loop.busy();
  const double serverBefore = serverCpu();
  const Nanos begin = now();
  measurement.begin(begin);
  const auto isEnough = [&](Nanos time) {
    if (time < begin + nanosOf(timing.atLeast)) return false;
    return time >= begin + nanosOf(timing.atMost) || measurement.isStable();
  };
  Nanos windowEnd = begin;
  do {
    windowEnd += nanosOf(timing.window);
    loop.pump(windowEnd, noneOpen);
    measurement.closeWindow(now());
    if (options.onWindow) options.onWindow(measurement.windows().back());
  } while (!loop.noneOpen() && !isEnough(windowEnd));
  const Nanos end = now();
  loop.catchUp(end);
  measurement.end(end);
  const CpuUse use{.seconds = secondsOf(end - begin),
                   .busySeconds = secondsOf(loop.busy() - busyBefore),
                   .serverCpuSeconds = serverCpu() - serverBefore};

  pacer.stop();
  loop.pump(now() + nanosOf(timing.lastAnswers),
            [&] { return (slots.inFlight() == 0 && pacer.waiting() == 0) || loop.noneOpen(); });
  measurement.leave(slots.inFlight() + pacer.waiting());
  return use;
}

std::string CpuUse::json() const {
  const double busyFraction = seconds > 0 ? busySeconds / seconds : 0;
  return JsonObject()
      .number("client_busy_fraction", busyFraction)
      .boolean("saturated", busyFraction > kSaturatedFraction)
      .number("server_cpu_fraction", seconds > 0 ? serverCpuSeconds / seconds : 0)
      .members();
}

}  // namespace headrace::bench
