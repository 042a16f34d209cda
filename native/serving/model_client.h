// The steps that one I/O thread has in one model: submitted as frames and requests are read, run or kicked once a turn,
// and their outcomes handed out before the turn's answers are written.
//
// Used by its I/O thread only. While steps are under way, whoever submitted them must stay, or call forget().
#pragma once

#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include "completion_queue.h"
#include "engine.h"
#include "handlers.h"
#include "io_thread.h"

namespace headrace {

// Whoever waits for the outcome of steps.
class StepSink {
 public:
  virtual ~StepSink() = default;
  // Where `code` is Ok, the outputs can be copied by ModelClient::copy_outputs until this returns.
  virtual void completed(const Completion& completion) = 0;
};

class ModelClient final : public TurnWork {
 public:
  // `handle` is what JavaScript calls the model by.
  ModelClient(IoThread& io, std::shared_ptr<Engine> engine, uint32_t handle);
  // Cancels what is under way.
  ~ModelClient() override;
  ModelClient(const ModelClient&) = delete;
  ModelClient& operator=(const ModelClient&) = delete;

  // Ok: `sink` will hear of it once, and `request` is the number by which it can be cancelled until then.
  Code submit(StepSink& sink, const StepSpec& spec, std::span<const InputBytes> inputs, uint32_t& request);
  // The same for the bytes of a row of the only input, whose dimensions follow from how many there are where the model
  // leaves one open.
  Code submit_row(StepSink& sink, const StepSpec& spec, const InputBytes& row);
  // Cancels a step, if the sink has not heard of it; it will not.
  void cancel(const StepSink& sink, uint32_t request);
  // Cancels the steps of a sink, which hears nothing more of them.
  void forget(const StepSink& sink);
  bool turn() override;

  // Bytes of all outputs of one step, one after the other. Only where every output is preallocated.
  size_t output_bytes() const { return output_bytes_; }
  size_t output_bytes(size_t output) const { return outputs_[output].bytes; }
  void copy_outputs(const Completion& completion, std::byte* to);
  const std::byte* output(const Completion& completion, size_t output);

  // Refuses new steps as Unavailable.
  void divert() { is_diverted_ = true; }
  size_t under_way() const { return under_way_; }

  // Whether the outcomes of a state's steps are told to JavaScript too.
  void tap(uint32_t key, bool on);
  bool is_tapped(uint32_t key) const { return !tapped_.empty() && tapped_.contains(key); }
  void tell_tapped(Connection& connection, uint32_t key, const Completion& completion);

  Scheduler& scheduler() { return engine_->scheduler(); }
  const Engine& engine() const { return *engine_; }
  uint32_t handle() const { return handle_; }

 private:
  Code submit_open(const StepSpec& spec, const InputBytes& row, uint32_t& request);
  // Hands the outcome of a step to `sink` when it comes.
  void expect(StepSink& sink, uint32_t request);
  void hand_out();

  struct OutputRows {
    size_t bytes;  // of one row
  };

  IoThread& io_;
  const std::shared_ptr<Engine> engine_;
  const uint32_t handle_;
  const std::shared_ptr<CompletionQueue> queue_;
  const bool has_fixed_inputs_;
  std::vector<OutputRows> outputs_;
  size_t output_bytes_ = 0;
  std::vector<StepSink*> sinks_;  // by request
  size_t under_way_ = 0;
  bool is_diverted_ = false;
  bool is_due_ = false;  // there may be something to run, or to kick
  std::vector<Completion> completions_;
  std::vector<uint32_t> releasable_;
  // The rows of each batch and output, which stay where they are as long as the model is there.
  std::vector<std::vector<std::shared_ptr<Buffer>>> rows_;
  std::unordered_set<uint32_t> tapped_;
};

}  // namespace headrace
