#include "pacer.h"

namespace headrace::bench {

void ClosedPacer::begin(Nanos at) {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) slots_.start(slot, at, at);
}

void ClosedPacer::freed(const std::vector<std::size_t>& slots, Nanos at) {
  if (isStopped_) return;
  for (const std::size_t slot : slots) {
    if (!slots_.isLost(slot)) slots_.start(slot, at, at);
  }
}

void Arrivals::begin(Nanos at) {
  begin_ = at;
  elapsed_ = 0;
  count_ = 0;
}

Nanos Arrivals::next() {
  count_ += 1;
  elapsed_ = kind_ == Kind::poisson ? elapsed_ + gap_ * exponential_(random_) : gap_ * static_cast<double>(count_);
  return begin_ + static_cast<Nanos>(elapsed_);
}

void OpenPacer::begin(Nanos at) {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) free_.push_back(slot);
  arrivals_.begin(at);
  next_ = arrivals_.next();
}

void OpenPacer::due(Nanos at) {
  for (; next_ <= at; next_ = arrivals_.next()) {
    measurement_.offer(next_);
    while (!free_.empty() && slots_.isLost(free_.front())) free_.pop_front();
    if (free_.empty()) {
      waiting_.push_back(next_);
      continue;
    }
    slots_.start(free_.front(), next_, at);
    free_.pop_front();
  }
}

void OpenPacer::freed(const std::vector<std::size_t>& slots, Nanos at) {
  for (const std::size_t slot : slots) {
    if (slots_.isLost(slot)) continue;
    if (waiting_.empty()) {
      free_.push_back(slot);
      continue;
    }
    slots_.start(slot, waiting_.front(), at);
    waiting_.pop_front();
  }
}

void StreamsPacer::begin(Nanos at) {
  begin_ = at;
  nextSlot_ = 0;
  next_ = timeOf(0, 0);
}

Nanos StreamsPacer::timeOf(std::size_t slot, std::uint64_t step) const {
  const double phase = static_cast<double>(slot) / static_cast<double>(streams_.size());
  return begin_ + static_cast<Nanos>(period_ * (static_cast<double>(step) + phase));
}

void StreamsPacer::due(Nanos at) {
  while (next_ <= at) {
    measurement_.offer(next_);
    Stream& stream = streams_[nextSlot_];
    stream.due += 1;
    waiting_ += 1;
    if (!stream.isBusy) startNext(nextSlot_, at);
    nextSlot_ = (nextSlot_ + 1) % streams_.size();
    next_ = timeOf(nextSlot_, streams_[nextSlot_].due);
  }
}

void StreamsPacer::startNext(std::size_t slot, Nanos at) {
  Stream& stream = streams_[slot];
  waiting_ -= 1;
  const Nanos scheduled = timeOf(slot, stream.started++);
  stream.isBusy = !slots_.isLost(slot);
  slots_.start(slot, scheduled, at);
}

void StreamsPacer::freed(const std::vector<std::size_t>& slots, Nanos at) {
  for (const std::size_t slot : slots) {
    Stream& stream = streams_[slot];
    stream.isBusy = false;
    if (stream.started < stream.due) startNext(slot, at);
  }
}

}  // namespace headrace::bench
