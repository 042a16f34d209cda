// One step on its way through the engine. Lives in the scheduler's slab and is known outside by its index, which stays
// taken until the submitter releases it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "batch_policy.h"
#include "clock.h"
#include "completion_queue.h"
#include "state_store.h"

namespace headrace {

enum class Phase : uint8_t {
  Free,
  Filling,  // its inputs arrive in pieces
  Waiting,  // behind an earlier step of its state id
  Forming,  // has a row in a forming batch
  Running,
  Settling,   // it has run, and its outcome stands: its new state is being written
  Completed,  // its completion is queued or delivered; outputs are valid until release
};

struct StepOptions {
  StateEntry* state = nullptr;  // none: a fresh state, dropped afterwards
  bool start = false;           // begin from the initial state
  bool end = false;             // free the state afterwards
  bool hold = false;            // the new state counts only when released with commit
  bool row = false;             // see StepSpec
  bool inner = false;
  uint32_t priority = 0;
  uint32_t stream = 0;  // see StateEntry
};

// What one input of a step brings.
struct StagedInput {
  Shape row_dims;     // only where the model leaves dimensions open
  size_t offset = 0;  // into Request::staging
  size_t bytes = 0;
  size_t written = 0;
  std::vector<std::string> strings;  // instead of bytes, for string tensors
};

// Memory that nothing was written to yet: a step that promises much and brings little takes little.
class Staging {
 public:
  std::byte* data() { return bytes_.get(); }
  const std::byte* data() const { return bytes_.get(); }
  size_t capacity() const { return capacity_; }
  // Room for so many bytes; those that were there are gone.
  void make_room(size_t bytes) {
    if (bytes <= capacity_) return;
    clear();
    bytes_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
    capacity_ = bytes;
  }
  void clear() {
    bytes_.reset();
    capacity_ = 0;
  }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  size_t capacity_ = 0;
};

struct Request {
  uint32_t index = 0;
  Phase phase = Phase::Free;
  Code cancelled = Code::Ok;  // set while running: the outcome is thrown away and this is the answer
  StepOptions step;
  Rank rank = kDefaultRank;
  CompletionQueue* client = nullptr;  // null: the submitter is gone
  Nanos submitted = 0;
  Nanos deadline = 0;       // 0: none
  Request* next = nullptr;  // behind it in its state id's queue
  Batch* batch = nullptr;
  uint32_t row = 0;
  bool staged = false;              // inputs are in `staging`, not yet in the batch's row
  bool uncommitted = false;         // held: its state still waits for release
  std::vector<StagedInput> inputs;  // only when staged
  Staging staging;                  // keeps its memory for the next step in this slot
  size_t staged_bytes = 0;          // written to `staging`, or as strings: what Options::queue_bytes bounds
  std::vector<Shape> shapes;        // of all inputs, where the model leaves dimensions open
  std::string error;                // why it failed, when the model did

  // Why nobody waits for its outcome any more; Ok: somebody does.
  Code given_up(Nanos now) const {
    const bool is_late = deadline != 0 && now > deadline;
    return cancelled == Code::Ok && is_late ? Code::DeadlineExceeded : cancelled;
  }
};

}  // namespace headrace
