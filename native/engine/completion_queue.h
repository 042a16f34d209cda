// Finished steps on their way back to the thread that submitted them. One per JavaScript environment and model.
//
// Any thread pushes; only the owner's thread drains. `wake` is called once when the queue stops being empty, from the
// pushing thread and without any engine lock held, so a batch costs one wake-up however many rows it has.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "mutex.h"
#include "status.h"

namespace headrace {

struct Completion {
  uint32_t request;
  Code code;
  uint32_t batch;  // id of the batch that holds the outputs; unused unless Ok
  uint32_t row;
};

class CompletionQueue : public std::enable_shared_from_this<CompletionQueue> {
 public:
  explicit CompletionQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

  // True where the queue was empty: then the caller calls wake() once it holds no lock.
  bool push(const Completion& completion) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    queue_.push_back(completion);
    return queue_.size() == 1;
  }

  void wake() const { wake_(); }

  // Hands over everything that waits, in the order finished; `into` lends its memory.
  void drain(std::vector<Completion>& into) EXCLUDES(mutex_) {
    into.clear();
    MutexLock lock(mutex_);
    into.swap(queue_);
  }

 private:
  const std::function<void()> wake_;
  Mutex mutex_;
  std::vector<Completion> queue_ GUARDED_BY(mutex_);
};

}  // namespace headrace
