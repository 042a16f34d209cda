// What a run adds up to: answers, latencies, errors, and the windows by which it is judged whether it is stable.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clock.h"
#include "histogram.h"

namespace headrace::bench {

/// One stretch of the measured time.
struct Window {
  double rate;       // answers a second
  double p99Micros;  // of the answers in it, from the scheduled time
};

class Measurement {
 public:
  /// Where the load has a schedule of its own, a latency belongs to the time for which its request was scheduled; in a
  /// closed loop, to the time of its answer.
  explicit Measurement(bool isScheduled) : isScheduled_(isScheduled) {}

  void begin(Nanos at);
  void closeWindow(Nanos at);
  /// From here on answers are taken only for requests that were scheduled before.
  void end(Nanos at);

  /// A request was due at this time.
  void offer(Nanos scheduled) {
    if (isMeasured(scheduled)) offered_ += 1;
  }
  void answer(Nanos scheduled, Nanos started, Nanos at);
  /// Errors count always, also before the measured time and after it.
  void fail(const std::string& problem, std::uint64_t requests = 1);
  void leave(std::uint64_t requests) { unfinished_ += requests; }

  /// The last three windows are within 10 % of their mean, in rate and in p99.
  bool isStable() const;
  bool isGood() const { return errors_ == 0 && unfinished_ == 0 && answered_ > 0; }
  double seconds() const { return secondsOf(end_ - begin_); }
  const std::vector<Window>& windows() const { return windows_; }

  /// The members of a JSON object about all this, without its braces.
  std::string json() const;

 private:
  bool isMeasured(Nanos at) const { return at >= begin_ && at < end_; }

  bool isScheduled_;
  Nanos begin_ = kNever;
  Nanos end_ = kNever;
  Nanos windowBegin_ = 0;

  std::uint64_t answered_ = 0;
  std::uint64_t offered_ = 0;
  std::uint64_t errors_ = 0;
  std::uint64_t unfinished_ = 0;
  std::string firstError_;
  Histogram latencies_;
  Histogram service_;

  Histogram window_;
  std::uint64_t windowAnswers_ = 0;
  std::vector<Window> windows_;
};

}  // namespace headrace::bench
