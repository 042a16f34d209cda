// A closed loop over an engine in this process: each slot submits its next step when the last one has completed, as a
// JavaScript thread would. One thread; where the engine runs inline, it runs here.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "../clock.h"
#include "../measurement.h"
#include "../request_file.h"
#include "engine.h"
#include "model_file.h"

namespace headrace::bench {

struct EngineLoad {
  std::size_t slots = 1;
  bool stateful = false;  // each slot is a state id of its own
  std::uint32_t min_length = 0;
  std::uint32_t max_length = 0;  // 0: its sequence never ends
  std::uint32_t seed = 1;
};

class EngineLoop {
 public:
  /// All of them outlive this. Throws std::runtime_error where the steps are not what the model takes.
  EngineLoop(Engine& engine, const RequestFile& steps, const std::vector<StepInput>& inputs, const EngineLoad& load,
             Measurement& measurement);
  ~EngineLoop();
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;

  /// Submits the first step of each slot.
  void start();
  void pump(Nanos until);
  /// No further steps; waits for those on their way, at most until then.
  void finish(Nanos until);

  std::size_t inFlight() const { return in_flight_; }
  /// Time spent on submitting steps and taking outcomes, the engine's own work on this thread included where a step is
  /// copied into its batch.
  Nanos busy() const { return busy_; }

 private:
  struct Slot {
    std::uint32_t state = kNoState;
    std::size_t step = 0;
    std::uint32_t done = 0;
    std::uint32_t length = 0;
    Nanos submitted = 0;
  };

  /// Set from whatever thread completes a step.
  struct Wake {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_set = false;
  };

  void orderInputs(const std::vector<StepInput>& inputs);
  std::uint32_t randomLength();
  void submit(std::size_t slot, Nanos at);
  Code submitStep(const StepSpec& spec, const std::string& body, std::uint32_t& index);
  void advance(Nanos until);
  void wait(Nanos until);
  void settle();

  Engine& engine_;
  Scheduler& scheduler_;
  const RequestFile& steps_;
  const EngineLoad load_;
  Measurement& measurement_;
  std::vector<StepInput> inputs_;     // in the engine's order
  std::vector<std::size_t> offsets_;  // of each of them in a body
  std::shared_ptr<Wake> wake_ = std::make_shared<Wake>();
  std::shared_ptr<CompletionQueue> queue_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> slot_of_;  // by the engine's index of a step
  std::vector<Completion> completions_;
  std::vector<std::uint32_t> released_;
  std::mt19937 random_;
  std::size_t in_flight_ = 0;
  bool is_submitting_ = true;
  Nanos busy_ = 0;
};

}  // namespace headrace::bench
