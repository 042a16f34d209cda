// When requests are due, and from when their latencies count: by a clock of the test's own, over connections that lead
// nowhere.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "pacer.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <cmath>
#include <string>

namespace headrace::bench {
namespace {

constexpr Nanos kMilli = 1'000'000;

// Takes every request, and is never asked for a reply.
class NoReader final : public ReplyReader {
 public:
  Reply read(std::string_view) override { return {}; }
};

// So many slots, each on a connection of its own.
class Run {
 public:
  Run(std::size_t count, bool is_scheduled)
      : source_(std::vector<std::string>(count, "?")),
        measurement(is_scheduled),
        slots(connections_, count, measurement) {
    for (std::size_t i = 0; i < count; ++i) {
      int ends[2];
      REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
      far_.emplace_back(ends[1]);
      connections_.emplace_back(UniqueFd(ends[0]), std::make_unique<NoReader>(), source_, i, count, 1);
    }
    measurement.begin(0);
  }

  void answer(Pacer& pacer, std::size_t slot, Nanos at) {
    slots.answered(slot, at, "");
    slots.freed().clear();
    pacer.freed({slot}, at);
  }

  // Of the latencies so far, in milliseconds.
  double figure(const std::string& name) {
    const std::string json = measurement.json();
    const std::size_t at = json.find("\"" + name + "\":", json.find("\"latency_us\""));
    REQUIRE(at != std::string::npos);
    return std::stod(json.substr(at + name.size() + 3)) / 1000;
  }

 private:
  RepeatedRequests source_;
  std::vector<UniqueFd> far_;
  std::vector<Connection> connections_;

 public:
  Measurement measurement;
  Slots slots;
};

TEST_CASE("constant arrivals do not drift, however many there are") {
  Arrivals arrivals(Arrivals::Kind::constant, 3000, 1);
  arrivals.begin(500);
  Nanos last = 0;
  for (int i = 0; i < 3'000'000; ++i) last = arrivals.next();
  CHECK(std::abs(last - (500 + nanosOf(1000))) <= 1);
}

TEST_CASE("Poisson arrivals: mean and deviation of the gaps are the same, and a seed gives the same times") {
  Arrivals arrivals(Arrivals::Kind::poisson, 1000, 7), again(Arrivals::Kind::poisson, 1000, 7);
  constexpr int kCount = 200'000;
  double sum = 0, squares = 0;
  Nanos before = 0;
  for (int i = 0; i < kCount; ++i) {
    const Nanos next = arrivals.next();
    REQUIRE(next == again.next());
    const double gap = secondsOf(next - before) * 1000;
    sum += gap;
    squares += gap * gap;
    before = next;
  }
  const double mean = sum / kCount;
  CHECK(mean == doctest::Approx(1).epsilon(0.01));
  CHECK(std::sqrt(squares / kCount - mean * mean) == doctest::Approx(1).epsilon(0.02));
}

TEST_CASE("a closed loop: a slot sends when it was answered, and nothing once it has stopped") {
  Run run(3, false);
  ClosedPacer pacer(run.slots);
  pacer.begin(0);
  CHECK(run.slots.inFlight() == 3);
  run.answer(pacer, 1, 5 * kMilli);
  CHECK(run.slots.inFlight() == 3);
  pacer.stop();
  run.answer(pacer, 1, 9 * kMilli);
  CHECK(run.slots.inFlight() == 2);
  CHECK(run.figure("max") == doctest::Approx(5));
}

TEST_CASE("an open loop: what waits for a slot was due all the same, and a late generator makes up for it") {
  Run run(1, true);
  OpenPacer pacer(run.slots, run.measurement, Arrivals(Arrivals::Kind::constant, 1000, 1));
  pacer.begin(0);
  CHECK(pacer.nextDue() == 1 * kMilli);
  pacer.due(5 * kMilli);  // 1 to 5 ms are due at once
  CHECK(run.slots.inFlight() == 1);
  CHECK(pacer.waiting() == 4);
  CHECK(pacer.nextDue() == 6 * kMilli);
  for (const Nanos at : {6, 7, 8, 9, 10}) run.answer(pacer, 0, at * kMilli);
  CHECK(pacer.waiting() == 0);
  CHECK(run.slots.inFlight() == 0);
  // Due at 1 and answered at 6, due at 2 and answered at 7, and so on.
  CHECK(run.figure("p50") == doctest::Approx(5).epsilon(0.01));
  CHECK(run.figure("max") == doctest::Approx(5));
}

TEST_CASE("streams: phases spread over the period, one step of a stream at a time, and none is left out") {
  Run run(4, true);
  StreamsPacer pacer(run.slots, run.measurement, 50);  // a period of 20 ms
  pacer.begin(0);
  for (const Nanos due : {0, 5, 10, 15, 20, 25}) {
    CHECK(pacer.nextDue() == due * kMilli);
    pacer.due(due * kMilli);
  }
  CHECK(run.slots.inFlight() == 4);  // the second steps of two streams wait for their first ones
  CHECK(pacer.waiting() == 2);
  run.answer(pacer, 0, 26 * kMilli);
  CHECK(pacer.waiting() == 1);
  CHECK(run.slots.inFlight() == 4);
  CHECK(run.figure("max") == doctest::Approx(26));
  run.answer(pacer, 0, 27 * kMilli);  // was due at 20
  CHECK(run.figure("p50") == doctest::Approx(7).epsilon(0.01));
}

}  // namespace
}  // namespace headrace::bench
