// A mutex, a scoped lock and a condition variable that clang's thread-safety analysis understands.
// With other compilers the annotations vanish and these are plain std::mutex and std::condition_variable.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define HEADRACE_ANNOTATE(x) __attribute__((x))
#else
#define HEADRACE_ANNOTATE(x)
#endif

#define CAPABILITY(x) HEADRACE_ANNOTATE(capability(x))
#define SCOPED_CAPABILITY HEADRACE_ANNOTATE(scoped_lockable)
#define GUARDED_BY(x) HEADRACE_ANNOTATE(guarded_by(x))
#define REQUIRES(...) HEADRACE_ANNOTATE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) HEADRACE_ANNOTATE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) HEADRACE_ANNOTATE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) HEADRACE_ANNOTATE(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS HEADRACE_ANNOTATE(no_thread_safety_analysis)

namespace headrace {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { impl_.lock(); }
  void unlock() RELEASE() { impl_.unlock(); }

 private:
  friend class CondVar;
  std::mutex impl_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits may wake without a notification: call them in a loop over the condition.
class CondVar {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> held(mutex.impl_, std::adopt_lock);
    impl_.wait(held);
    held.release();
  }
  void wait_until(Mutex& mutex, std::chrono::steady_clock::time_point when) REQUIRES(mutex) {
    std::unique_lock<std::mutex> held(mutex.impl_, std::adopt_lock);
    impl_.wait_until(held, when);
    held.release();
  }
  void notify_one() { impl_.notify_one(); }
  void notify_all() { impl_.notify_all(); }

 private:
  std::condition_variable impl_;
};

}  // namespace headrace
