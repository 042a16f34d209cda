#include "model_client.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "status.h"

namespace headrace {
namespace {

// So long may a turn run a model before the sockets are looked at again.
constexpr Nanos kTurnBudget = 5'000'000;

// The dimensions of a row that takes exactly so many bytes, where one at most is open.
std::optional<Shape> row_of(const DataInput& input, size_t bytes) {
  Shape shape = input.row_dims;
  size_t known = element_size(input.info.type);
  int64_t* open = nullptr;
  for (int64_t& dimension : shape) {
    if (dimension >= 0) {
      known *= static_cast<size_t>(dimension);
    } else if (open == nullptr) {
      open = &dimension;
    } else {
      return std::nullopt;
    }
  }
  if (open == nullptr || known == 0 || bytes == 0 || bytes % known != 0) return std::nullopt;
  *open = static_cast<int64_t>(bytes / known);
  return shape;
}

}  // namespace

ModelClient::ModelClient(IoThread& io, std::shared_ptr<Engine> engine, uint32_t handle)
    : io_(io),
      engine_(std::move(engine)),
      handle_(handle),
      queue_(std::make_shared<CompletionQueue>([bell = io.doorbell()] { bell->ring(); })),
      has_fixed_inputs_(engine_->session().plan().fixed_inputs()) {
  const ModelPlan& plan = engine_->session().plan();
  for (const DataOutput& output : plan.outputs) {
    const size_t bytes = output.fixed ? checked_elements(output.row_dims) * element_size(output.info.type) : 0;
    outputs_.push_back({bytes});
    output_bytes_ += bytes;
  }
  io_.add(*this);
}

ModelClient::~ModelClient() {
  io_.remove(*this);
  scheduler().detach(*queue_);
}

Code ModelClient::submit(StepSink& sink, const StepSpec& spec, std::span<const InputBytes> inputs, uint32_t& request) {
  if (is_diverted_) return Code::Unavailable;
  const Code code = scheduler().submit(*queue_, spec, inputs, request);
  if (code == Code::Ok) expect(sink, request);
  return code;
}

Code ModelClient::submit_row(StepSink& sink, const StepSpec& spec, const InputBytes& row) {
  uint32_t request = 0;
  if (has_fixed_inputs_) return submit(sink, spec, {&row, 1}, request);
  if (is_diverted_) return Code::Unavailable;
  const Code code = submit_open(spec, row, request);
  if (code == Code::Ok) expect(sink, request);
  return code;
}

Code ModelClient::submit_open(const StepSpec& spec, const InputBytes& row, uint32_t& request) {
  const std::vector<DataInput>& inputs = engine_->session().plan().inputs;
  const std::optional<Shape> shape = inputs.size() == 1 ? row_of(inputs.front(), row.bytes) : std::nullopt;
  if (!shape) return Code::InvalidArgument;
  const Code begun = scheduler().begin(*queue_, spec, {*shape}, request);
  if (begun != Code::Ok) return begun;
  const Code appended = scheduler().append(request, 0, {row.data, row.bytes}, row.mask);
  if (appended == Code::Ok) return scheduler().publish(request);
  if (appended == Code::InvalidArgument) bug("a row does not fit the shape that follows from its bytes");
  scheduler().abandon(request);
  return appended;
}

void ModelClient::expect(StepSink& sink, uint32_t request) {
  if (request >= sinks_.size()) sinks_.resize(std::max<size_t>(2 * sinks_.size(), request + 64));
  sinks_[request] = &sink;
  ++under_way_;
  is_due_ = true;
}

void ModelClient::cancel(const StepSink& sink, uint32_t request) {
  if (request >= sinks_.size() || sinks_[request] != &sink) return;
  sinks_[request] = nullptr;
  scheduler().cancel(request, Code::Cancelled);
  is_due_ = true;
}

void ModelClient::forget(const StepSink& sink) {
  for (uint32_t request = 0; request < sinks_.size(); ++request) cancel(sink, request);
}

bool ModelClient::turn() {
  if (under_way_ == 0 && !is_due_) return false;
  const bool was_due = std::exchange(is_due_, false);
  if (!scheduler().is_inline()) {
    if (was_due) scheduler().kick();
  } else if (was_due) {
    // A batch's worth, however many wait: its answers then travel while the next one runs. Where few streams sent far
    // ahead that is several small batches: a turn costs each socket a read and a write. What is left may be another
    // thread's, which sleeps.
    is_due_ = scheduler().run_inline(kTurnBudget, queue_.get(), engine_->calibration().max_batch);
  }
  hand_out();
  return is_due_;
}

void ModelClient::hand_out() {
  queue_->drain(completions_);
  if (completions_.empty()) return;
  releasable_.clear();
  for (const Completion& completion : completions_) {
    if (StepSink* sink = std::exchange(sinks_[completion.request], nullptr)) sink->completed(completion);
    releasable_.push_back(completion.request);
  }
  scheduler().release(releasable_, false);
  under_way_ -= completions_.size();
}

const std::byte* ModelClient::output(const Completion& completion, size_t output) {
  if (completion.batch >= rows_.size()) rows_.resize(completion.batch + 1);
  auto& rows = rows_[completion.batch];
  if (rows.empty()) rows.resize(outputs_.size());
  if (!rows[output]) rows[output] = scheduler().output_buffer(completion.batch, output);
  return rows[output]->data() + completion.row * outputs_[output].bytes;
}

void ModelClient::copy_outputs(const Completion& completion, std::byte* to) {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    std::memcpy(to, output(completion, i), outputs_[i].bytes);
    to += outputs_[i].bytes;
  }
}

void ModelClient::tap(uint32_t key, bool on) {
  if (on)
    tapped_.insert(key);
  else
    tapped_.erase(key);
}

void ModelClient::tell_tapped(Connection& connection, uint32_t key, const Completion& completion) {
  const bool is_ok = completion.code == Code::Ok;
  Event event{.kind = EventKind::Tapped, .connection = connection.id(), .flags = is_ok ? event_flags::kSucceeded : 0};
  event.body_bytes = static_cast<uint32_t>(is_ok ? output_bytes_ : 0);
  event.extra[0] = key;
  event.extra[1] = handle_;
  std::byte* room = io_.tell(event, event.body_bytes);
  if (is_ok) copy_outputs(completion, room);
  connection.told(event.body_bytes);
}

}  // namespace headrace
