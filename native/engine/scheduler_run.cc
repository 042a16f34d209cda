// Running batches and settling their steps.
#include <algorithm>

#include "scheduler.h"

namespace headrace {

bool Scheduler::run_next(RunScratch& scratch, const CompletionQueue* self, Decision& decision) {
  Batch* batch = nullptr;
  {
    MutexLock lock(mutex_);
    const Nanos now = now_nanos();
    decision = next_dispatch(forming_, now, closing_ ? 0 : options_.max_delay);
    if (!decision.run) return false;
    scratch.rows = forming_[decision.run->index].size;
    batch = take_batch(*decision.run, now);
    take_wakes(scratch, self);
    if (batch == nullptr) tell_closing();
    // Another batch is ready too: another lane may have it.
    if (!forming_.empty() && idle_lanes_ > 0) work_.notify_one();
  }
  wake(scratch);
  if (batch == nullptr) return true;  // all its rows had expired

  run_batch(*batch, scratch, self);
  return true;
}

// A batch that has run: new states are kept, and whoever waits for its steps is told.
void Scheduler::settle(Batch& batch, const RunError& error, RunScratch& scratch, const CompletionQueue* self) {
  {
    MutexLock lock(mutex_);
    decide_commits(batch, error.ok(), scratch);
  }
  const Nanos before = now_nanos();
  session_.device().scatter(scratch.moves);
  session_.device().sync();
  const Nanos settled = now_nanos();
  batch.times.scatter = settled - before;
  {
    MutexLock lock(mutex_);
    finish(batch, error, settled, scratch);
    take_wakes(scratch, self);
    tell_closing();
  }
  wake(scratch);
}

// Takes a forming batch out of the queue, without the rows whose deadline has passed. Null where none is left.
Batch* Scheduler::take_batch(const Dispatch& dispatch, Nanos now) {
  Batch* batch = forming_[dispatch.index].batch;
  forming_.erase(forming_.begin() + static_cast<std::ptrdiff_t>(dispatch.index));
  for (size_t row = batch->rows.size(); row-- > 0;) {
    Request& request = *batch->rows[row];
    const Code given_up = request.given_up(now);
    if (given_up == Code::Ok) continue;
    remove_row(*batch, static_cast<uint32_t>(row));
    end_queued(request, given_up);
  }
  if (batch->rows.empty()) {
    recycle(*batch);
    return nullptr;
  }
  for (Request* request : batch->rows) request->phase = Phase::Running;
  waiting_ -= static_cast<uint32_t>(batch->rows.size());
  begin_run(*batch, now);
  count_dispatch(*batch, dispatch.reason);
  return batch;
}

void Scheduler::begin_run(Batch& batch, Nanos now) {
  batch.started = now;
  busy_until_ = now + costs_.of(batch.rows.size());
  ++running_;
}

// The last moment at which a step can be cancelled: from here on its outcome stands.
void Scheduler::decide_commits(Batch& batch, bool ok, RunScratch& scratch) {
  scratch.moves.clear();
  const Nanos now = now_nanos();
  for (Request* request : batch.rows) {
    request->phase = Phase::Settling;
    request->cancelled = request->given_up(now);
    const StateEntry* state = request->step.state;
    if (!ok || request->cancelled != Code::Ok || state == nullptr) continue;
    if (request->step.hold || request->step.end) continue;
    runner_.append_commit(batch, request->row, state->record, scratch.moves);
  }
}

void Scheduler::finish(Batch& batch, const RunError& error, Nanos now, RunScratch& scratch) {
  --running_;
  count_run(batch, error.ok(), now);
  batch.held = 0;
  // The rows are walked by index: completing an orphan recycles nothing while `held` counts this walk.
  ++batch.held;
  for (size_t row = 0; row < batch.rows.size(); ++row) {
    Request& request = *batch.rows[row];
    const bool ok = error.ok() && request.cancelled == Code::Ok;
    request.uncommitted = ok && request.step.hold && request.step.state != nullptr;
    if (!request.uncommitted) settle_state(request, ok, now);
    if (ok) {
      ++batch.held;
      complete(request, Code::Ok, now);
    } else {
      request.batch = nullptr;
      if (request.cancelled == Code::Ok) request.error = error.message;
      // What a step within a larger prediction was given came from another cell, not from the caller.
      const Code failed = request.step.inner ? Code::Internal : error.code;
      complete(request, request.cancelled == Code::Ok ? failed : request.cancelled, now);
    }
  }
  if (--batch.held == 0) recycle(batch);
  scratch.moves.clear();
}

// Ends a step's claim on its state id and lets the next one in.
void Scheduler::settle_state(Request& request, bool committed, Nanos now) {
  StateEntry* entry = request.step.state;
  if (entry == nullptr) return;
  request.step.state = nullptr;
  request.uncommitted = false;
  if (entry->active == &request) entry->active = nullptr;
  if (committed) {
    states_.commit(*entry, request.step.stream, request.step.end, now);
  } else {
    states_.abandon(*entry);
  }
  promote(*entry, now);
  states_.release(*entry);
}

void Scheduler::promote(StateEntry& entry, Nanos now) {
  while (entry.active == nullptr && entry.first != nullptr) {
    Request& request = *entry.first;
    entry.first = request.next;
    if (entry.first == nullptr) entry.last = nullptr;
    if (join_batch(request)) return;
    // No memory for another batch: this step is refused, its successors are tried.
    --waiting_;
    request.step.state = nullptr;
    complete(request, Code::ResourceExhausted, now);
    states_.abandon(entry);
    states_.release(entry);
  }
}

void Scheduler::complete(Request& request, Code code, Nanos now) {
  count_end(request, code, now);
  request.phase = Phase::Completed;
  if (request.client == nullptr) {
    release_one(request, false);
    return;
  }
  const Completion completion{request.index, code, request.batch == nullptr ? 0 : request.batch->id(), request.row};
  CompletionQueue* client = request.client;
  if (client->push(completion) && std::find(wakes_.begin(), wakes_.end(), client) == wakes_.end()) {
    wakes_.push_back(client);
  }
}

// A step that never ran, already out of its queue or batch.
void Scheduler::end_queued(Request& request, Code code) {
  --waiting_;
  request.batch = nullptr;
  const Nanos now = now_nanos();
  settle_state(request, false, now);
  complete(request, code, now);
}

void Scheduler::remove_row(Batch& batch, uint32_t row) {
  const auto last = static_cast<uint32_t>(batch.rows.size() - 1);
  if (row != last) {
    Request* moved = batch.rows[last];
    if (!moved->staged) batch.copy_inputs(row, batch, last);
    moved->row = row;
    batch.rows[row] = moved;
  }
  batch.rows.pop_back();
}

void Scheduler::leave_forming(Request& request) {
  const auto found = std::find_if(forming_.begin(), forming_.end(),
                                  [&](const Forming& forming) { return forming.batch == request.batch; });
  if (found == forming_.end()) bug("a forming step is in no forming batch");
  remove_row(*found->batch, request.row);
  if (--found->size == 0) {
    recycle(*found->batch);
    forming_.erase(found);
    return;
  }
  if (!fixed_inputs_) found->shapes = &found->batch->rows.front()->shapes;
  // It may have been the most urgent or the oldest.
  found->rank = UINT8_MAX;
  found->oldest = INT64_MAX;
  for (const Request* left : found->batch->rows) {
    found->rank = std::min(found->rank, left->rank);
    found->oldest = std::min(found->oldest, left->submitted);
  }
}

void Scheduler::remove_waiting(Request& request) {
  StateEntry& entry = *request.step.state;
  Request** link = &entry.first;
  Request* previous = nullptr;
  while (*link != &request) {
    previous = *link;
    link = &previous->next;
  }
  *link = request.next;
  if (entry.last == &request) entry.last = previous;
}

bool Scheduler::cancel(uint32_t index, Code code) {
  RunScratch scratch;
  {
    MutexLock lock(mutex_);
    Request& request = at(index);
    switch (request.phase) {
      case Phase::Waiting:
        remove_waiting(request);
        end_queued(request, code);
        break;
      case Phase::Forming:
        leave_forming(request);
        end_queued(request, code);
        break;
      case Phase::Running:
        if (request.cancelled == Code::Ok) request.cancelled = code;
        return true;
      case Phase::Free:
      case Phase::Filling:
      case Phase::Settling:
      case Phase::Completed:
        return false;
    }
    take_wakes(scratch, nullptr);
    tell_closing();
  }
  wake(scratch);
  return true;
}

void Scheduler::kick() {
  size_t lanes = 0;
  {
    MutexLock lock(mutex_);
    lanes = std::min<size_t>(forming_.size(), idle_lanes_);
  }
  for (size_t i = 0; i < lanes; ++i) work_.notify_one();
}

void Scheduler::release(std::span<const uint32_t> indices, bool commit) {
  RunScratch scratch;
  {
    MutexLock lock(mutex_);
    for (const uint32_t index : indices) {
      Request& request = at(index);
      if (request.phase != Phase::Completed) bug("a step was released that had not completed");
      release_one(request, commit);
    }
    // A held step's successor may have become runnable, or have ended for want of memory.
    if (!forming_.empty() && idle_lanes_ > 0) work_.notify_one();
    take_wakes(scratch, nullptr);
    tell_closing();
  }
  wake(scratch);
}

void Scheduler::release_one(Request& request, bool commit) {
  Batch* batch = request.batch;
  if (request.uncommitted) {
    if (commit && !request.step.end) {
      commit_moves_.clear();
      runner_.append_commit(*batch, request.row, request.step.state->record, commit_moves_);
      session_.device().scatter(commit_moves_);
      session_.device().sync();
    }
    settle_state(request, commit, now_nanos());
  }
  free_request(request);
  if (batch != nullptr && --batch->held == 0) recycle(*batch);
}

void Scheduler::take_wakes(RunScratch& scratch, const CompletionQueue* self) {
  scratch.wakes.clear();
  for (CompletionQueue* client : wakes_) {
    if (client != self) scratch.wakes.push_back(client->shared_from_this());
  }
  wakes_.clear();
}

void Scheduler::wake(RunScratch& scratch) {
  for (const auto& client : scratch.wakes) client->wake();
  scratch.wakes.clear();
}

}  // namespace headrace
