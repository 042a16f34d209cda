// Finished steps of one engine handle on their way into JavaScript: the queue, and the wake-up of its event loop.
//
// Threads: `wake` is called by lanes; everything else on the JavaScript thread. The thread-safe function is the only
// thing shared, under a mutex, because its environment may go away while a lane is about to call it.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "completion_queue.h"
#include "mutex.h"

namespace headrace {

// Calls a JavaScript function on its own thread, soon; calls that have not been served yet count as one.
class WakeUp {
 public:
  WakeUp(Napi::Env env, const Napi::Function& callback);
  void wake() EXCLUDES(mutex_);
  // While referenced, the event loop stays alive for the wake-ups to come.
  void reference(Napi::Env env, bool on) EXCLUDES(mutex_);
  void close() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  napi_threadsafe_function function_ GUARDED_BY(mutex_) = nullptr;
};

class Completions {
 public:
  Completions(Napi::Env env, const Napi::Function& on_wake);
  ~Completions() { close(); }
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  CompletionQueue& queue() { return *queue_; }
  WakeUp& wake_up() { return *wake_up_; }

  // Moves the next completions into the record array and says how many: quadruples of request, code, batch, row.
  uint32_t drain();
  // The requests of the last drain whose record JavaScript has not marked as kept.
  const std::vector<uint32_t>& releasable();
  Napi::Value records(Napi::Env env);
  void close();

  static constexpr uint32_t kRecords = 1024;
  static constexpr uint32_t kFields = 4;
  static constexpr uint32_t kKept = UINT32_MAX;  // written over the code by JavaScript

 private:
  std::shared_ptr<WakeUp> wake_up_;
  std::shared_ptr<CompletionQueue> queue_;
  std::vector<Completion> drained_;
  size_t next_ = 0;  // of drained_, not yet handed over
  uint32_t handed_ = 0;
  Napi::Reference<Napi::Uint32Array> records_;
  uint32_t* record_data_ = nullptr;
  std::vector<uint32_t> releasable_;
};

}  // namespace headrace
