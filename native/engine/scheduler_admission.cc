// Which steps are taken, and what becomes of them first.
#include <algorithm>

#include "scheduler.h"

namespace headrace {

Code Scheduler::admit(CompletionQueue& client, const StepSpec& spec, Request*& request) {
  Code code = Code::Ok;
  if (waiting_ >= options_.queue_size) code = Code::ResourceExhausted;
  if (closing_) code = Code::Unavailable;
  if (code == Code::Ok) {
    request = &take_request();
    request->client = &client;
    request->submitted = spec.submitted != 0 ? spec.submitted : now_nanos();
    request->deadline = spec.timeout_micros > 0 ? request->submitted + duration(spec.timeout_micros, 1000) : 0;
    request->rank = rank_of(spec.priority);
    request->step = {nullptr, spec.start, spec.end, spec.hold, spec.row, spec.inner, spec.priority};
    if (spec.state == kNoState) return Code::Ok;
    request->step.state = states_.acquire(spec.state);
    return request->step.state == nullptr ? refuse(*request, Code::InvalidArgument) : Code::Ok;
  }
  ++stats_.refused;
  return code;
}

// Takes back what admit gave.
Code Scheduler::refuse(Request& request, Code code) {
  if (code != Code::InvalidArgument) ++stats_.refused;
  free_request(request);
  return code;
}

// Behind the other steps of its state id, or into a forming batch.
Code Scheduler::enqueue(Request& request) {
  if (request.deadline != 0 && request.submitted + least_wait(request) > request.deadline) {
    return refuse(request, Code::DeadlineExceeded);
  }
  if (drained()) last_progress_ = request.submitted;
  StateEntry* entry = request.step.state;
  if (entry != nullptr) {
    request.step.stream = entry->stream;
    const Code reserved = states_.reserve(*entry, request.submitted);
    if (reserved != Code::Ok) return refuse(request, reserved);
  }
  if (entry != nullptr && !state_is_free(request)) {
    request.phase = Phase::Waiting;
    request.next = nullptr;
    (entry->first == nullptr ? entry->first : entry->last->next) = &request;
    entry->last = &request;
    ++waiting_;
    return Code::Ok;
  }
  if (!join_batch(request)) return refuse(request, Code::ResourceExhausted);
  ++waiting_;
  return Code::Ok;
}

// How long it takes at least until a step would be done, as far as is known: less than it will, never more. 0 where
// nothing is before it, so that a model that was slow once is tried again. Those it shares a batch with are not before
// it.
Nanos Scheduler::least_wait(const Request& request) const {
  return std::max(wait_for_lane(request), wait_for_state(request.step.state));
}

// Behind the batch that runs and those that go first.
Nanos Scheduler::wait_for_lane(const Request& request) const {
  const Nanos lanes = std::max<Nanos>(1, wanted_lanes_.load(std::memory_order_relaxed));
  const std::vector<Shape>* shapes = fixed_inputs_ ? nullptr : &request.shapes;
  const std::optional<size_t> joined = choose_forming(forming_, shapes);
  // The batch that it is going to be in, which goes as early as its most urgent row.
  Forming own{.rank = request.rank, .oldest = INT64_MAX};
  if (joined) own = forming_[*joined];
  own.rank = std::min(own.rank, request.rank);
  Nanos before = 0;
  for (size_t i = 0; i < forming_.size(); ++i) {
    // One that is not full may wait until its time has come, and this one may be full before.
    if (options_.max_delay > 0 && !forming_[i].full()) continue;
    if (i != joined && goes_before(forming_[i], own)) before += costs_.of(forming_[i].size);
  }
  if (running_ < lanes && before == 0) return 0;
  // With several lanes it is not known which ends first.
  if (lanes == 1 && running_ > 0) before += std::max<Nanos>(0, busy_until_ - request.submitted);
  return before / lanes + costs_.of(joined ? forming_[*joined].size + 1 : 1);
}

// Behind the steps of its own state id, which share no batch.
Nanos Scheduler::wait_for_state(const StateEntry* entry) const {
  if (entry == nullptr || entry->active == nullptr) return 0;
  Nanos batches = entry->active->phase == Phase::Forming ? 2 : 1;
  for (const Request* ahead = entry->first; ahead != nullptr; ahead = ahead->next) ++batches;
  return batches * costs_.of(1);
}

}  // namespace headrace
