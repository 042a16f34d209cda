// The queue of one model: takes steps from any thread, forms batches, runs them on lanes (threads of its own) or on the
// thread that asks for it, and gives each step's outcome back to its submitter's CompletionQueue.
//
// Who calls what:
//   submit, begin … publish, cancel, release, kick, pin …   any thread
//   run_inline                                               any thread; needed where there are no lanes
//   set_lanes                                                one thread at a time, others wait; not a JavaScript thread
//   lanes                                                    run `lane_loop`
//
// Ownership of a step: on Ok, submit and begin hand out an index that is the submitter's until it calls release (after
// the completion) or abandon (before publish). On any other code nothing was taken and nothing follows. Every published
// step gets exactly one completion, unless its submitter has detached.
//
// Order: steps of one state id run in the order of submit/publish, one at a time: a step enters a batch only when its
// predecessor's outcome is settled. So all rows of a batch are of different state ids, and every batch is runnable.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "batch.h"
#include "batch_policy.h"
#include "batch_runner.h"
#include "completion_queue.h"
#include "model_session.h"
#include "mutex.h"
#include "request.h"
#include "run_costs.h"
#include "state_store.h"
#include "stats.h"

namespace headrace {

inline constexpr uint32_t kNoState = UINT32_MAX;

// A step as it is submitted. `state` is a key from pin(), or kNoState.
struct StepSpec {
  uint32_t state = kNoState;
  bool start = false;
  bool end = false;
  bool hold = false;
  bool row = false;    // a further row of the same request follows: only the last one is counted as a request
  bool inner = false;  // part of a prediction that its submitter counts
  uint32_t priority = 0;
  int64_t timeout_micros = 0;
  Nanos submitted = 0;  // when it came; 0: now, by the clock
};

// Where one step spent its time: its own wait, and the phases of the run that it was a row of.
struct StepTimes {
  Nanos queue = 0;
  RunTimes run;
  uint32_t rows = 0;
};

struct InputBytes {
  const std::byte* data;
  size_t bytes;
  XorMask mask = {};  // lies on them; taken off where they are copied to
};

class Scheduler {
 public:
  struct Options {
    uint32_t max_batch = 1;
    Nanos max_delay = 0;
    uint32_t queue_size = 4096;
    // Of inputs that did not go straight into a batch, until their steps are released; a single step may have more.
    size_t queue_bytes = size_t{1} << 30;
    uint32_t lanes = 0;  // to begin with; 0: inline
    StateStore::Options states;
  };

  // Throws Error(ResourceExhausted) where there is no memory for a batch or no thread for a lane.
  Scheduler(ModelSession& session, const Options& options);
  // Closes, if nobody did.
  ~Scheduler();

  // State ids. A pin keeps the key of a name valid, whether or not it has a state.
  uint32_t pin(std::string_view name) EXCLUDES(mutex_);
  void unpin(uint32_t key) EXCLUDES(mutex_);
  void drop_state(uint32_t key) EXCLUDES(mutex_);
  void sweep() EXCLUDES(mutex_);
  std::vector<Eviction> take_evictions() EXCLUDES(mutex_);
  Code export_state(std::string_view name, std::vector<std::byte>& bytes) EXCLUDES(mutex_);
  Code import_state(std::string_view name, std::span<const std::byte> bytes) EXCLUDES(mutex_);

  // A whole step of a model whose inputs are all fixed: one copy, straight into a batch's row where the state id is
  // free.
  Code submit(CompletionQueue& client, const StepSpec& spec, std::span<const InputBytes> inputs, uint32_t& index)
      EXCLUDES(mutex_);

  // A step in pieces. `shapes` gives every input's row dimensions where the model leaves some open, else it is empty.
  // Between begin and publish only the caller may use the index, from one thread at a time.
  Code begin(CompletionQueue& client, const StepSpec& spec, std::vector<Shape> shapes, uint32_t& index)
      EXCLUDES(mutex_);
  Code append(uint32_t index, size_t input, std::span<const std::byte> bytes, const XorMask& mask = {})
      EXCLUDES(mutex_);
  Code set_strings(uint32_t index, size_t input, std::vector<std::string> strings) EXCLUDES(mutex_);
  Code publish(uint32_t index) EXCLUDES(mutex_);
  void abandon(uint32_t index) EXCLUDES(mutex_);

  // Asks that a step end with `code` and leave its state alone. True: it will. False: it has completed already.
  bool cancel(uint32_t index, Code code) EXCLUDES(mutex_);

  // Tells the lanes that steps were submitted: once per turn of a submitter's event loop.
  void kick() EXCLUDES(mutex_);

  // Whether there are no lanes: whoever submits runs.
  bool is_inline() const { return wanted_lanes_.load(std::memory_order_relaxed) == 0; }
  // Runs queued steps on this thread: a turn's worth, at least one batch, and no further batch once `budget` has
  // passed. Completions for `self` are pushed without a wake-up. True where steps are left: call again.
  // `most_rows` makes the turn shorter.
  bool run_inline(Nanos budget, const CompletionQueue* self, uint32_t most_rows = UINT32_MAX) EXCLUDES(mutex_);

  // Gives completed steps back: their outputs may be overwritten from now on. A held step's new state is kept where
  // `commit` says so.
  void release(std::span<const uint32_t> indices, bool commit) EXCLUDES(mutex_);

  // For a completed, unreleased step.
  OutputCopy read_output(uint32_t index, size_t output) EXCLUDES(mutex_);
  std::string error_of(uint32_t index) EXCLUDES(mutex_);
  // The buffer that holds all rows of a preallocated output; null where it is not preallocated.
  std::shared_ptr<Buffer> output_buffer(uint32_t batch, size_t output) EXCLUDES(mutex_);

  // The submitter goes away: what it queued is cancelled, what it holds released, and it hears nothing more.
  void detach(CompletionQueue& client) EXCLUDES(mutex_);

  // Refuses new steps, finishes or (drain = false) cancels the queued ones, stops the lanes. Blocks. Idempotent.
  void close(bool drain) EXCLUDES(mutex_, lanes_mutex_);

  // Changes the number of lanes; 0 is inline: whoever submits runs. Blocks until lanes that are too many have ended,
  // each after its batch. Throws Error(Unavailable) once closing, Error(ResourceExhausted) where there is no further
  // thread: then there are as many as could be had.
  void set_lanes(uint32_t count) EXCLUDES(mutex_, lanes_mutex_);

  Stats stats() EXCLUDES(mutex_);
  // For how long steps have been here while no batch ended; 0 where there are none. What readiness is decided by.
  Nanos stalled() EXCLUDES(mutex_);
  // Where a completed, unreleased step that succeeded spent its time.
  StepTimes times_of(uint32_t index) EXCLUDES(mutex_);

 private:
  // Admission (scheduler_admission.cc)
  Code admit(CompletionQueue& client, const StepSpec& spec, Request*& request) REQUIRES(mutex_);
  Code refuse(Request& request, Code code) REQUIRES(mutex_);
  Code enqueue(Request& request) REQUIRES(mutex_);
  Nanos least_wait(const Request& request) const REQUIRES(mutex_);
  Nanos wait_for_lane(const Request& request) const REQUIRES(mutex_);
  Nanos wait_for_state(const StateEntry* entry) const REQUIRES(mutex_);

  // Steps and their places (scheduler.cc)
  Request& take_request() REQUIRES(mutex_);
  void free_request(Request& request) REQUIRES(mutex_);
  bool state_is_free(const Request& request) const REQUIRES(mutex_);
  // Both false where no memory is left. A filling request is its submitter's alone: no mutex for its layout.
  bool stage(Request& request, std::span<const InputBytes> inputs);
  bool lay_out_staging(Request& request) const;
  bool count_staged(Request& request, size_t bytes);
  Code refused_by_bytes() EXCLUDES(mutex_);
  bool join_batch(Request& request) REQUIRES(mutex_);
  Forming* open_batch(Request& request) REQUIRES(mutex_);
  Batch& borrow_batch(const Request& request) REQUIRES(mutex_);
  void recycle(Batch& batch) REQUIRES(mutex_);
  bool shapes_fit(const std::vector<Shape>& shapes) const;
  Request& at(uint32_t index) REQUIRES(mutex_);

  // Who runs (scheduler_lanes.cc)
  void lane_loop(uint32_t lane);
  uint32_t rows_of_a_turn() const REQUIRES(mutex_);

  // Running and settling (scheduler_run.cc)
  bool run_next(RunScratch& scratch, const CompletionQueue* self, Decision& decision) EXCLUDES(mutex_);
  Batch* take_batch(const Dispatch& dispatch, Nanos now) REQUIRES(mutex_);
  void begin_run(Batch& batch, Nanos now) REQUIRES(mutex_);
  void settle(Batch& batch, const RunError& error, RunScratch& scratch, const CompletionQueue* self) EXCLUDES(mutex_);
  void decide_commits(Batch& batch, bool ok, RunScratch& scratch) REQUIRES(mutex_);
  void finish(Batch& batch, const RunError& error, Nanos now, RunScratch& scratch) REQUIRES(mutex_);
  void settle_state(Request& request, bool committed, Nanos now) REQUIRES(mutex_);
  void promote(StateEntry& entry, Nanos now) REQUIRES(mutex_);
  void complete(Request& request, Code code, Nanos now) REQUIRES(mutex_);
  void end_queued(Request& request, Code code) REQUIRES(mutex_);
  void remove_row(Batch& batch, uint32_t row) REQUIRES(mutex_);
  void remove_waiting(Request& request) REQUIRES(mutex_);
  void leave_forming(Request& request) REQUIRES(mutex_);
  void release_one(Request& request, bool commit) REQUIRES(mutex_);
  void take_wakes(RunScratch& scratch, const CompletionQueue* self) REQUIRES(mutex_);
  void wake(RunScratch& scratch);

  // What the model refuses (scheduler_split.cc)
  void run_batch(Batch& batch, RunScratch& scratch, const CompletionQueue* self) EXCLUDES(mutex_);
  Batch* split(Batch& batch) EXCLUDES(mutex_);
  bool begin_half(Batch& half, RunScratch& scratch, const CompletionQueue* self) EXCLUDES(mutex_);
  void end_given_up(Batch& batch, Nanos now) REQUIRES(mutex_);

  // Counting (scheduler_stats.cc)
  void count_dispatch(const Batch& batch, DispatchReason reason) REQUIRES(mutex_);
  void count_run(const Batch& batch, bool ok, Nanos now) REQUIRES(mutex_);
  void count_split(const Batch& batch, Nanos now) REQUIRES(mutex_);
  void count_end(const Request& request, Code code, Nanos now) REQUIRES(mutex_);
  Nanos stalled_at(Nanos now) const REQUIRES(mutex_);

  // Ending (scheduler_close.cc)
  bool drained() const REQUIRES(mutex_);
  // Whoever closes looks again: something ended.
  void tell_closing() REQUIRES(mutex_);
  // True where a step was cancelled: its successor may be queued now, so ask again until there is none.
  bool cancel_queued(const CompletionQueue* only, Code code) REQUIRES(mutex_);

  // Constant after construction.
  ModelSession& session_;
  const BatchRunner runner_;
  const Options options_;
  const bool fixed_inputs_;
  std::vector<size_t> submit_bytes_;  // by input; what submit takes

  Mutex mutex_;
  CondVar work_;     // lanes wait here
  CondVar settled_;  // close waits here
  StateStore states_ GUARDED_BY(mutex_);
  std::deque<Request> requests_ GUARDED_BY(mutex_);  // addresses are stable; never shrinks
  std::vector<uint32_t> free_requests_ GUARDED_BY(mutex_);
  std::vector<Forming> forming_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Batch>> batches_ GUARDED_BY(mutex_);  // by id
  std::vector<Batch*> free_batches_ GUARDED_BY(mutex_);             // last used first: its memory is in the cache
  std::vector<CompletionQueue*> wakes_ GUARDED_BY(mutex_);          // to wake once the mutex is free
  std::vector<RowMove> commit_moves_ GUARDED_BY(mutex_);            // scratch of release
  uint32_t waiting_ GUARDED_BY(mutex_) = 0;                         // steps published and not yet running
  uint32_t running_ GUARDED_BY(mutex_) = 0;                         // batches
  uint32_t halves_ GUARDED_BY(mutex_) = 0;                          // of split batches; a lane has still to run them
  uint32_t idle_lanes_ GUARDED_BY(mutex_) = 0;
  RunCosts costs_ GUARDED_BY(mutex_);
  Nanos busy_until_ GUARDED_BY(mutex_) = 0;  // when the batch that was begun last will have ended, presumably
  // When a batch last ended, or the first step came that found nothing here.
  Nanos last_progress_ GUARDED_BY(mutex_) = 0;
  bool closing_ GUARDED_BY(mutex_) = false;
  Stats stats_ GUARDED_BY(mutex_);

  std::atomic<size_t> staged_bytes_ = 0;  // of all requests

  // Lanes from this number on end. Changed under both mutexes; a reader without one may see the number before.
  std::atomic<uint32_t> wanted_lanes_ = 0;
  Mutex lanes_mutex_;  // held while lanes start and are joined, so that a second close waits for the first
  std::vector<std::thread> lanes_ GUARDED_BY(lanes_mutex_);
};

}  // namespace headrace
