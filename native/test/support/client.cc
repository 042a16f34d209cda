#include "client.h"

#include <doctest/doctest.h>

namespace headrace::testing {

void Client::Signal::set() {
  MutexLock lock(mutex_);
  set_ = true;
  ++wakes_;
  changed_.notify_all();
}

void Client::Signal::wait() {
  MutexLock lock(mutex_);
  while (!set_) changed_.wait(mutex_);
  set_ = false;
}

int Client::Signal::wakes() {
  MutexLock lock(mutex_);
  return wakes_;
}

Client::Client(Served& served)
    : scheduler_(served.scheduler),
      inline_(served.lanes == 0),
      signal_(std::make_shared<Signal>()),
      queue_(std::make_shared<CompletionQueue>([signal = signal_] { signal->set(); })) {}

uint32_t Client::submit_bytes(const StepSpec& spec, std::span<const std::byte> bytes) {
  // Masked, as a WebSocket's bytes come.
  const XorMask mask({1, 2, 4, 8});
  std::vector<std::byte> masked(bytes.size());
  mask.copy(masked.data(), bytes.data(), bytes.size());
  const InputBytes input{masked.data(), masked.size(), mask};
  uint32_t index = UINT32_MAX;
  REQUIRE(scheduler_.submit(*queue_, spec, {&input, 1}, index) == Code::Ok);
  return index;
}

Code Client::try_submit(const StepSpec& spec, const std::vector<float>& values, uint32_t* index) {
  const InputBytes input{reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(float)};
  uint32_t ignored = 0;
  return scheduler_.submit(*queue_, spec, {&input, 1}, index == nullptr ? ignored : *index);
}

void Client::drain() {
  queue_->drain(drained_);
  for (const Completion& completion : drained_) {
    REQUIRE(done_.emplace(completion.request, completion).second);
    finished_.push_back(completion.request);
  }
}

bool Client::completed(uint32_t index) {
  drain();
  return done_.contains(index);
}

Completion Client::wait(uint32_t index) {
  scheduler_.kick();
  while (inline_ && scheduler_.run_inline(kForever, queue_.get())) {
  }
  while (!completed(index)) signal_->wait();
  return done_.at(index);
}

void Client::release(uint32_t index, bool commit) {
  REQUIRE(done_.erase(index) == 1);
  scheduler_.release({&index, 1}, commit);
}

std::vector<float> Client::result(uint32_t index, bool commit) {
  REQUIRE(wait(index).code == Code::Ok);
  std::vector<float> values = read<float>(index);
  release(index, commit);
  return values;
}

std::vector<float> Client::step(const StepSpec& spec, const std::vector<float>& values, bool commit) {
  return result(submit(spec, values), commit);
}

Code Client::outcome(uint32_t index) {
  const Code code = wait(index).code;
  release(index);
  return code;
}

}  // namespace headrace::testing
