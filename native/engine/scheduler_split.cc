// Batches that the model refuses: one step's values must not fail the steps of others that share a run with it.
#include "scheduler.h"

namespace headrace {

// Rows are run again in halves, so that in the end only those fail that the model refuses by themselves: in 2n - 1 runs
// of together n log2(2n) rows at most, and about 3n where it is one row of n.
void Scheduler::run_batch(Batch& batch, RunScratch& scratch, const CompletionQueue* self) {
  const RunError error = runner_.run(batch, scratch);
  Batch* const rest = error.is_of_rows && batch.ran > 1 ? split(batch) : nullptr;
  if (rest == nullptr) {
    settle(batch, error, scratch, self);
    return;
  }
  for (Batch* half : {&batch, rest}) {
    if (begin_half(*half, scratch, self)) run_batch(*half, scratch, self);
  }
}

// Moves the second half of a batch into another. Null where there is no memory for one.
Batch* Scheduler::split(Batch& batch) {
  MutexLock lock(mutex_);
  Batch* rest = nullptr;
  try {
    rest = &borrow_batch(*batch.rows.front());
  } catch (const std::exception&) {
    return nullptr;
  }
  count_split(batch, now_nanos());
  --running_;
  halves_ += 2;
  const size_t kept = batch.rows.size() / 2;
  for (size_t row = kept; row < batch.rows.size(); ++row) {
    Request& request = *batch.rows[row];
    const auto to = static_cast<uint32_t>(row - kept);
    if (!request.staged) rest->copy_inputs(to, batch, request.row);
    request.batch = rest;
    request.row = to;
    rest->rows.push_back(&request);
  }
  batch.rows.resize(kept);
  return rest;
}

// Its turn has come. False where nobody waits for any of its steps any more.
bool Scheduler::begin_half(Batch& half, RunScratch& scratch, const CompletionQueue* self) {
  bool any = false;
  {
    MutexLock lock(mutex_);
    --halves_;
    const Nanos now = now_nanos();
    end_given_up(half, now);
    any = !half.rows.empty();
    if (any) {
      begin_run(half, now);
    } else {
      recycle(half);
    }
    take_wakes(scratch, self);
    tell_closing();
  }
  wake(scratch);
  return any;
}

// Steps of a batch between two runs that were cancelled meanwhile, or are too late.
void Scheduler::end_given_up(Batch& batch, Nanos now) {
  for (size_t row = batch.rows.size(); row-- > 0;) {
    Request& request = *batch.rows[row];
    const Code given_up = request.given_up(now);
    if (given_up == Code::Ok) continue;
    remove_row(batch, static_cast<uint32_t>(row));
    request.batch = nullptr;
    settle_state(request, false, now);
    complete(request, given_up, now);
  }
}

}  // namespace headrace
