// Ending: a submitter that goes away, and the whole scheduler.
#include <algorithm>

#include "scheduler.h"

namespace headrace {

bool Scheduler::drained() const { return waiting_ == 0 && running_ == 0 && halves_ == 0; }

void Scheduler::tell_closing() {
  if (!closing_) return;
  settled_.notify_all();
  if (drained()) work_.notify_all();
}

bool Scheduler::cancel_queued(const CompletionQueue* only, Code code) {
  bool any = false;
  for (Request& request : requests_) {
    if (only != nullptr && request.client != only) continue;
    if (request.phase == Phase::Waiting) {
      remove_waiting(request);
    } else if (request.phase == Phase::Forming) {
      leave_forming(request);
    } else {
      continue;
    }
    if (only != nullptr) request.client = nullptr;
    end_queued(request, code);
    any = true;
  }
  return any;
}

void Scheduler::detach(CompletionQueue& client) {
  RunScratch scratch;
  bool let_in = false;
  {
    MutexLock lock(mutex_);
    while (cancel_queued(&client, Code::Cancelled)) let_in = true;
    for (Request& request : requests_) {
      if (request.client != &client) continue;
      request.client = nullptr;
      if (request.phase == Phase::Running) request.cancelled = Code::Cancelled;
      if (request.phase == Phase::Filling) {
        free_request(request);
      } else if (request.phase == Phase::Completed) {
        let_in = let_in || request.uncommitted;
        release_one(request, false);
      }
    }
    std::erase(wakes_, &client);
    take_wakes(scratch, nullptr);
    tell_closing();
  }
  wake(scratch);
  // Others' steps that waited behind these may run now, and their submitters do not know.
  if (!let_in) return;
  kick();
  while (is_inline() && run_inline(kForever, nullptr)) {
  }
}

void Scheduler::close(bool drain) {
  RunScratch scratch;
  {
    MutexLock lock(mutex_);
    closing_ = true;
    while (!drain && cancel_queued(nullptr, Code::Unavailable)) {
    }
    take_wakes(scratch, nullptr);
    work_.notify_all();
    settled_.notify_all();
  }
  wake(scratch);
  for (;;) {
    if (is_inline()) run_inline(kForever, nullptr);
    MutexLock lock(mutex_);
    if (drained()) break;
    // A held step may still be in somebody's hands; inline, its successors then need this thread again.
    if (!is_inline() || forming_.empty()) settled_.wait(mutex_);
  }
  work_.notify_all();
  MutexLock lock(lanes_mutex_);
  for (std::thread& lane : lanes_) lane.join();
  lanes_.clear();
}

}  // namespace headrace
