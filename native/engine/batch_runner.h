// Runs one batch: states and contexts into it, the model, outputs in place. And writes new states back.
//
// Thread safety: stateless but for the scratch it is handed; any number of lanes may use it at once, each with a batch
// that it owns. The steps in a batch are the active ones of their state ids, so nobody else touches their records.
#pragma once

#include <string>
#include <vector>

#include "batch.h"
#include "clock.h"
#include "model_session.h"
#include "request.h"

namespace headrace {

// Memory that a lane keeps between batches.
struct RunScratch {
  uint32_t rows = 0;  // of the last batch
  std::vector<RowMove> moves;
  std::vector<std::shared_ptr<CompletionQueue>> wakes;
};

// One output of one step, copied out: for outputs that are not preallocated.
struct OutputCopy {
  Shape shape;
  std::vector<std::byte> bytes;
  std::vector<std::string> strings;
};

// Why a run failed.
struct RunError {
  Code code = Code::Ok;
  std::string message;
  bool is_of_rows = false;  // the values of some row may be why, and the others may run without it

  bool ok() const { return code == Code::Ok; }
};

class BatchRunner {
 public:
  explicit BatchRunner(ModelSession& session) : session_(session), layout_(record_layout(session.plan())) {}

  size_t record_bytes() const { return layout_.bytes; }

  // Runs all rows of the batch and notes its times. On failure returns why; no state has been touched then.
  RunError run(Batch& batch, RunScratch& scratch) const;

  // Appends the moves that write row `row`'s new state and context over its record.
  void append_commit(const Batch& batch, uint32_t row, std::byte* record, std::vector<RowMove>& moves) const;

  OutputCopy read_output(const Batch& batch, uint32_t row, size_t output) const;

 private:
  void gather(Batch& batch, RunScratch& scratch) const;
  void place_staged(Batch& batch) const;
  void append_state(const Batch& batch, uint32_t row, const std::byte* record, std::vector<RowMove>& moves) const;
  void transpose_inputs(const Batch& batch, RunScratch& scratch) const;
  void transpose_outputs(const Batch& batch, RunScratch& scratch) const;

  ModelSession& session_;
  const RecordLayout layout_;
};

}  // namespace headrace
