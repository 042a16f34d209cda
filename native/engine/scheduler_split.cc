// Batches that the model refuses: one step's values must not fail the steps of others that share a run with it.
#include "scheduler.h"

namespace headrace {

// Rows are run again in halves, so that in the end only those fail that the model refuses by themselves: in 2n - 1 runs of
// together n log2(2n) rows at most, and about 3n where it is one row of n.
void Scheduler::run_batch(Batch& batch, RunScratch& scratch, const CompletionQueue* self) {
  const std::string error = runner_.run(batch, scratch);
  Batch* const rest = error.empty() || batch.ran == 1 ? nullptr : split(batch);
  if (rest == nullptr) {
    settle(batch, error, scratch, self);
    return;
  }
  for (Batch* half : {&batch, rest}) {
    half->started = now_nanos();
    run_batch(*half, scratch, self);
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
  ++stats_.splits;
  ++running_;
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

}  // namespace headrace
