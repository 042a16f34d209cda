// One submitter: its completion queue, and what came back through it. Used by one thread, as a JavaScript environment
// is.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models.h"
#include "mutex.h"
#include "served.h"

namespace headrace::testing {

class Client {
 public:
  explicit Client(Served& served);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  CompletionQueue& queue() { return *queue_; }

  // A whole step of a single input; fails the test where it is refused.
  template <typename T>
  uint32_t submit(const StepSpec& spec, const std::vector<T>& values) {
    const std::vector<std::byte> bytes = bytes_of(values);
    return submit_bytes(spec, bytes);
  }
  uint32_t submit_bytes(const StepSpec& spec, std::span<const std::byte> bytes);
  // The code of the same, for steps that may be refused.
  Code try_submit(const StepSpec& spec, const std::vector<float>& values, uint32_t* index = nullptr);

  // The completion of a step: kicks the lanes and waits for it, or runs inline. Stays unreleased.
  Completion wait(uint32_t index);
  // Whether it is there already.
  bool completed(uint32_t index);
  // How often the queue woke its owner.
  int wakes() { return signal_->wakes(); }

  // Output `output` of a completed step.
  template <typename T>
  std::vector<T> read(uint32_t index, size_t output = 0) {
    return values_of<T>(scheduler_.read_output(index, output).bytes);
  }

  void release(uint32_t index, bool commit = false);

  // wait, read the first output as floats and release; fails the test where the step failed.
  std::vector<float> result(uint32_t index, bool commit = false);
  std::vector<float> step(const StepSpec& spec, const std::vector<float>& values, bool commit = false);
  // wait and release: how the step ended.
  Code outcome(uint32_t index);

  // Every completion so far, in the order finished.
  const std::vector<uint32_t>& finished() const { return finished_; }

  // Takes what has completed, without waiting.
  void drain();

 private:
  class Signal {
   public:
    void set() EXCLUDES(mutex_);
    void wait() EXCLUDES(mutex_);
    int wakes() EXCLUDES(mutex_);

   private:
    Mutex mutex_;
    CondVar changed_;
    bool set_ GUARDED_BY(mutex_) = false;
    int wakes_ GUARDED_BY(mutex_) = 0;
  };

  Scheduler& scheduler_;
  const bool inline_;
  const std::shared_ptr<Signal> signal_;
  const std::shared_ptr<CompletionQueue> queue_;
  std::vector<Completion> drained_;
  std::map<uint32_t, Completion> done_;
  std::vector<uint32_t> finished_;
};

}  // namespace headrace::testing
