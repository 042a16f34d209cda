// When requests are sent. One of these drives the slots of a run.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "clock.h"
#include "measurement.h"
#include "slots.h"

namespace headrace::bench {

class Pacer {
 public:
  virtual ~Pacer() = default;

  /// All slots are free.
  virtual void begin(Nanos at) = 0;
  /// When `due` wants to be called next; kNever where only answers start requests.
  virtual Nanos nextDue() const { return kNever; }
  virtual void due(Nanos at) { static_cast<void>(at); }
  /// The requests of these slots were answered.
  virtual void freed(const std::vector<std::size_t>& slots, Nanos at) = 0;
  /// Nothing new becomes due; what was due already is still sent.
  virtual void stop() = 0;
  /// Requests that were due and are not sent yet.
  virtual std::uint64_t waiting() const { return 0; }
};

/// Each slot sends its next request when the last one is answered.
class ClosedPacer final : public Pacer {
 public:
  explicit ClosedPacer(Slots& slots) : slots_(slots) {}

  void begin(Nanos at) override;
  void freed(const std::vector<std::size_t>& slots, Nanos at) override;
  void stop() override { isStopped_ = true; }

 private:
  Slots& slots_;
  bool isStopped_ = false;
};

/// Times at a given rate, each computed from the start and not from when the last one was used: a generator that is
/// late does not shift the rest.
class Arrivals {
 public:
  enum class Kind { constant, poisson };

  Arrivals(Kind kind, double ratePerSecond, std::uint64_t seed)
      : kind_(kind), gap_(1e9 / ratePerSecond), random_(seed) {}

  void begin(Nanos at);
  Nanos next();

 private:
  Kind kind_;
  double gap_;  // nanoseconds, the mean
  std::mt19937_64 random_;
  std::exponential_distribution<double> exponential_{1};
  Nanos begin_ = 0;
  double elapsed_ = 0;  // since then, nanoseconds
  std::uint64_t count_ = 0;
};

/// An open loop: requests become due whether or not others were answered. One for which no slot is free waits here, in
/// order, and its latency counts from when it was due.
class OpenPacer final : public Pacer {
 public:
  OpenPacer(Slots& slots, Measurement& measurement, Arrivals arrivals)
      : slots_(slots), measurement_(measurement), arrivals_(arrivals) {}

  void begin(Nanos at) override;
  Nanos nextDue() const override { return next_; }
  void due(Nanos at) override;
  void freed(const std::vector<std::size_t>& slots, Nanos at) override;
  void stop() override { next_ = kNever; }
  std::uint64_t waiting() const override { return waiting_.size(); }

 private:
  Slots& slots_;
  Measurement& measurement_;
  Arrivals arrivals_;
  Nanos next_ = kNever;
  std::deque<std::size_t> free_;  // the one that was idle for longest comes first
  std::deque<Nanos> waiting_;     // when they were due
};

/// Streams of a fixed cadence, one for each slot, their phases spread over the period in even steps. A step that is due
/// before the last one of its stream was answered waits here.
class StreamsPacer final : public Pacer {
 public:
  StreamsPacer(Slots& slots, Measurement& measurement, double stepsPerSecond)
      : slots_(slots), measurement_(measurement), period_(1e9 / stepsPerSecond), streams_(slots.size()) {}

  void begin(Nanos at) override;
  Nanos nextDue() const override { return next_; }
  void due(Nanos at) override;
  void freed(const std::vector<std::size_t>& slots, Nanos at) override;
  void stop() override { next_ = kNever; }
  std::uint64_t waiting() const override { return waiting_; }

 private:
  struct Stream {
    std::uint64_t due = 0;
    std::uint64_t started = 0;
    bool isBusy = false;
  };

  Nanos timeOf(std::size_t slot, std::uint64_t step) const;
  void startNext(std::size_t slot, Nanos at);

  Slots& slots_;
  Measurement& measurement_;
  double period_;  // nanoseconds
  std::vector<Stream> streams_;
  Nanos begin_ = 0;
  Nanos next_ = kNever;
  std::size_t nextSlot_ = 0;  // all have the same period, so they take turns
  std::uint64_t waiting_ = 0;
};

}  // namespace headrace::bench
