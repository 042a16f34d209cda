#include "engine_loop.h"

#include <algorithm>
#include <stdexcept>

namespace headrace::bench {

namespace {

// As long as the server lets the engine have its thread at a time.
constexpr Nanos kInlineBudget = 1'000'000;

constexpr Nanos kPatience = 50'000'000;

}  // namespace

EngineLoop::EngineLoop(Engine& engine, const RequestFile& steps, const std::vector<StepInput>& inputs,
                       const EngineLoad& load, Measurement& measurement)
    : engine_(engine),
      scheduler_(engine.scheduler()),
      steps_(steps),
      load_(load),
      measurement_(measurement),
      slots_(load.slots),
      random_(load.seed) {
  orderInputs(inputs);
  queue_ = std::make_shared<CompletionQueue>([wake = wake_] {
    const std::lock_guard lock(wake->mutex);
    wake->is_set = true;
    wake->changed.notify_one();
  });
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (load_.stateful) slots_[i].state = scheduler_.pin("bench/" + std::to_string(i));
    slots_[i].step = i * 7919 % steps_.steps();
    slots_[i].length = randomLength();
    // The first ones are cut short, so that not all of them end together.
    if (slots_[i].length > 1) slots_[i].length = 1 + random_() % slots_[i].length;
  }
}

EngineLoop::~EngineLoop() { scheduler_.detach(*queue_); }

void EngineLoop::orderInputs(const std::vector<StepInput>& inputs) {
  for (const DataInput& wanted : engine_.session().plan().inputs) {
    std::size_t offset = 0;
    const auto found = std::ranges::find_if(inputs, [&](const StepInput& input) {
      if (input.tensor == wanted.info.name) return true;
      offset += input.bytes;
      return false;
    });
    if (found == inputs.end()) throw std::runtime_error("no step has the model's input " + wanted.info.name);
    if (row_geometry(wanted, found->row_dims).submit_bytes() != found->bytes) {
      throw std::runtime_error("a step of input " + wanted.info.name + " has another size than the model takes");
    }
    inputs_.push_back(*found);
    offsets_.push_back(offset);
  }
}

std::uint32_t EngineLoop::randomLength() {
  if (load_.max_length == 0) return 0;
  return std::uniform_int_distribution(load_.min_length, load_.max_length)(random_);
}

void EngineLoop::start() {
  const Nanos at = now();
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) submit(slot, at);
}

void EngineLoop::submit(std::size_t index, Nanos at) {
  Slot& slot = slots_[index];
  StepSpec spec;
  spec.state = slot.state;
  if (slot.length > 0) {
    spec.start = slot.done == 0;
    spec.end = slot.done + 1 == slot.length;
  }
  std::uint32_t request = 0;
  slot.submitted = at;
  const Code code = submitStep(spec, steps_.bodies[slot.step].bytes, request);
  if (code != Code::Ok) return measurement_.fail(code_name(code));
  if (slot_of_.size() <= request) slot_of_.resize(2 * request + 1);
  slot_of_[request] = index;
  in_flight_ += 1;
  slot.step = (slot.step + 1) % steps_.steps();
  slot.done += 1;
  if (spec.end) {
    slot.done = 0;
    slot.length = randomLength();
  }
}

Code EngineLoop::submitStep(const StepSpec& spec, const std::string& body, std::uint32_t& index) {
  const auto* bytes = reinterpret_cast<const std::byte*>(body.data());
  if (engine_.session().plan().fixed_inputs()) {
    std::vector<InputBytes> parts;
    for (std::size_t i = 0; i < inputs_.size(); ++i) parts.push_back({bytes + offsets_[i], inputs_[i].bytes});
    return scheduler_.submit(*queue_, spec, parts, index);
  }
  std::vector<Shape> shapes;
  for (const StepInput& input : inputs_) shapes.push_back(input.row_dims);
  Code code = scheduler_.begin(*queue_, spec, std::move(shapes), index);
  if (code != Code::Ok) return code;
  for (std::size_t i = 0; i < inputs_.size() && code == Code::Ok; ++i) {
    code = scheduler_.append(index, i, {bytes + offsets_[i], inputs_[i].bytes});
  }
  if (code == Code::Ok) return scheduler_.publish(index);
  scheduler_.abandon(index);
  return code;
}

void EngineLoop::pump(Nanos until) {
  while (in_flight_ > 0 && now() < until) advance(until);
}

void EngineLoop::finish(Nanos until) {
  is_submitting_ = false;
  pump(until);
}

void EngineLoop::advance(Nanos until) {
  if (engine_.calibration().lanes == 0) {
    scheduler_.run_inline(kInlineBudget, queue_.get());
  } else {
    scheduler_.kick();
    wait(until);
  }
  settle();
}

void EngineLoop::wait(Nanos until) {
  std::unique_lock lock(wake_->mutex);
  const Nanos most = std::clamp<Nanos>(until - now(), 0, kPatience);
  wake_->changed.wait_for(lock, std::chrono::nanoseconds(most), [this] { return wake_->is_set; });
  wake_->is_set = false;
}

void EngineLoop::settle() {
  const Nanos at = now();
  queue_->drain(completions_);
  released_.clear();
  for (const Completion& completion : completions_) {
    const Slot& slot = slots_[slot_of_[completion.request]];
    if (completion.code == Code::Ok) {
      measurement_.answer(slot.submitted, slot.submitted, at);
    } else {
      const std::string why = scheduler_.error_of(completion.request);
      measurement_.fail(why.empty() ? code_name(completion.code) : why);
    }
    released_.push_back(completion.request);
  }
  in_flight_ -= completions_.size();
  if (!released_.empty()) scheduler_.release(released_, true);
  if (is_submitting_) {
    for (const Completion& completion : completions_) submit(slot_of_[completion.request], at);
  }
  busy_ += now() - at;
}

}  // namespace headrace::bench
