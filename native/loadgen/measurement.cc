#include "measurement.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "json_text.h"

namespace headrace::bench {

namespace {

constexpr std::size_t kStableWindows = 3;
constexpr double kStableShare = 0.1;

template <typename Value>
bool isSteady(std::span<const Window> windows, Value value) {
  double mean = 0;
  for (const Window& window : windows) mean += value(window) / static_cast<double>(windows.size());
  return std::ranges::all_of(
      windows, [&](const Window& window) { return std::abs(value(window) - mean) <= kStableShare * mean; });
}

std::string jsonOf(const std::vector<Window>& windows) {
  std::string list = "[";
  for (const Window& window : windows) {
    if (list.size() > 1) list += ',';
    list += JsonObject().number("rate", window.rate).number("p99_us", window.p99Micros).text();
  }
  return list + "]";
}

}  // namespace

void Measurement::begin(Nanos at) {
  begin_ = at;
  windowBegin_ = at;
}

void Measurement::closeWindow(Nanos at) {
  windows_.push_back({.rate = static_cast<double>(windowAnswers_) / secondsOf(std::max<Nanos>(at - windowBegin_, 1)),
                      .p99Micros = window_.percentileMicros(0.99)});
  window_ = Histogram();
  windowAnswers_ = 0;
  windowBegin_ = at;
}

void Measurement::end(Nanos at) { end_ = at; }

void Measurement::answer(Nanos scheduled, Nanos started, Nanos at) {
  if (isMeasured(at)) {
    answered_ += 1;
    windowAnswers_ += 1;
    window_.record(at - scheduled);
  }
  if (!isMeasured(isScheduled_ ? scheduled : at)) return;
  latencies_.record(at - scheduled);
  service_.record(at - started);
}

void Measurement::fail(const std::string& problem, std::uint64_t requests) {
  if (errors_ == 0) firstError_ = problem;
  errors_ += requests;
}

bool Measurement::isStable() const {
  if (windows_.size() < kStableWindows || windows_.back().rate == 0) return false;
  const auto last = std::span(windows_).last(kStableWindows);
  return isSteady(last, [](const Window& window) { return window.rate; }) &&
         isSteady(last, [](const Window& window) { return window.p99Micros; });
}

std::string Measurement::json() const {
  const double time = begin_ == kNever ? 0 : seconds();
  const auto perSecond = [time](std::uint64_t count) { return time > 0 ? static_cast<double>(count) / time : 0; };
  JsonObject object;
  object.count("requests", answered_)
      .count("errors", errors_)
      .string("first_error", firstError_)
      .count("unfinished", unfinished_)
      .number("seconds", time)
      .number("rate", perSecond(answered_))
      .raw("latency_us", latencies_.json())
      .raw("service_us", service_.json())
      .raw("windows", jsonOf(windows_))
      .boolean("stable", isStable());
  if (isScheduled_) object.number("offered_rate", perSecond(offered_));
  return object.members();
}

}  // namespace headrace::bench
