#include "bare_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <stdexcept>

#include "arguments.h"

namespace headrace::bench {

namespace {

std::size_t elementsOf(const TensorSpec& tensor) {
  return static_cast<std::size_t>(
      std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>()));
}

Ort::Session singleThreaded(const Ort::Env& env, const std::string& file) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  return Ort::Session(env, file.c_str(), options);
}

bool allFinite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

}  // namespace

ModelSpec specOf(const std::string& kind, std::int64_t batch) {
  if (kind == "gru") {
    return {.input = {"input", {batch, 512}},
            .stateIn = {"state", {batch, 64}},
            .output = {"output", {batch, 8}},
            .stateOut = {"stateN", {batch, 64}},
            .hasSampleRate = false};
  }
  if (kind == "silero") {
    return {.input = {"input", {batch, 576}},  // 64 samples of context and 512 new ones
            .stateIn = {"state", {2, batch, 128}},
            .output = {"output", {batch, 1}},
            .stateOut = {"stateN", {2, batch, 128}},
            .hasSampleRate = true};
  }
  throw UsageError("--kind is gru or silero, not \"" + kind + "\"");
}

BareModel::BareModel(const std::string& file, const ModelSpec& spec)
    : session_(singleThreaded(env_, file)),
      input_(elementsOf(spec.input)),
      output_(elementsOf(spec.output)),
      states_{std::vector<float>(elementsOf(spec.stateIn)), std::vector<float>(elementsOf(spec.stateIn))} {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-0.1f, 0.1f);
  std::ranges::generate(input_, [&] { return uniform(random); });
  bindings_.push_back(bind(spec, 0));
  bindings_.push_back(bind(spec, 1));
}

Ort::Value BareModel::tensorOver(std::vector<float>& values, const std::vector<std::int64_t>& shape) const {
  return Ort::Value::CreateTensor<float>(memory_, values.data(), values.size(), shape.data(), shape.size());
}

Ort::IoBinding BareModel::bind(const ModelSpec& spec, int from) {
  Ort::IoBinding binding(session_);
  binding.BindInput(spec.input.name.c_str(), tensorOver(input_, spec.input.shape));
  binding.BindInput(spec.stateIn.name.c_str(), tensorOver(states_[from], spec.stateIn.shape));
  if (spec.hasSampleRate) {
    binding.BindInput("sr", Ort::Value::CreateTensor<std::int64_t>(memory_, &sampleRate_, 1, nullptr, 0));
  }
  binding.BindOutput(spec.output.name.c_str(), tensorOver(output_, spec.output.shape));
  binding.BindOutput(spec.stateOut.name.c_str(), tensorOver(states_[1 - from], spec.stateOut.shape));
  return binding;
}

void BareModel::step() {
  session_.Run(runOptions_, bindings_[current_]);
  current_ = 1 - current_;
}

void BareModel::check() const {
  if (!allFinite(output_) || !allFinite(states_[current_]))
    throw std::runtime_error("the model's outputs are not finite");
  if (std::ranges::all_of(states_[current_], [](float value) { return value == 0; })) {
    throw std::runtime_error("the model's state never moved");
  }
}

}  // namespace headrace::bench
