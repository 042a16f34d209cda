#include "scheduler.h"

#include <algorithm>
#include <utility>

namespace headrace {
namespace {

// Above this, a step's bytes are copied outside the mutex into its own staging memory, so that lanes need not wait.
constexpr size_t kCopyUnderLock = 32 << 10;
// Staging memory of one request slot that outlives its step; there are as many slots as the queue was ever long.
constexpr size_t kKeepStaging = 64 << 10;

}  // namespace

Scheduler::Scheduler(ModelSession& session, const Options& options)
    : session_(session),
      runner_(session),
      options_(options),
      fixed_inputs_(session.plan().fixed_inputs()),
      states_(options.states, session.device()),
      costs_(options.max_batch) {
  stats_.batch_sizes.resize(options.max_batch + 1);
  stats_.runs.resize(options.max_batch + 1);
  for (const DataInput& input : session.plan().inputs) {
    submit_bytes_.push_back(input.fixed ? row_geometry(input, input.row_dims).submit_bytes() : 0);
  }
  // The first batch now: one that does not fit the memory should fail the load, not every step.
  batches_.push_back(std::make_unique<Batch>(0, session.plan(), session.device(), options.max_batch));
  free_batches_.push_back(batches_.back().get());
  try {
    set_lanes(options.lanes);
  } catch (const Error&) {
    close(false);
    throw;
  }
}

Scheduler::~Scheduler() { close(false); }

Code Scheduler::submit(CompletionQueue& client, const StepSpec& spec, std::span<const InputBytes> inputs,
                       uint32_t& index) {
  const ModelPlan& plan = session_.plan();
  if (!fixed_inputs_ || inputs.size() != plan.inputs.size()) return Code::InvalidArgument;
  size_t total = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].bytes != submit_bytes_[i]) return Code::InvalidArgument;
    total += inputs[i].bytes;
  }
  if (!is_inline() && total > kCopyUnderLock) {
    Code code = begin(client, spec, {}, index);
    for (size_t i = 0; code == Code::Ok && i < inputs.size(); ++i) {
      code = append(index, i, {inputs[i].data, inputs[i].bytes}, inputs[i].mask);
      if (code != Code::Ok) abandon(index);
    }
    if (code == Code::Ok) code = publish(index);
    return code;
  }
  MutexLock lock(mutex_);
  Request* request = nullptr;
  const Code admitted = admit(client, spec, request);
  if (admitted != Code::Ok) return admitted;
  index = request->index;
  if (!state_is_free(*request)) {
    return stage(*request, inputs) ? enqueue(*request) : refuse(*request, Code::ResourceExhausted);
  }
  request->staged = false;
  const Code queued = enqueue(*request);
  if (queued != Code::Ok) return queued;
  for (size_t i = 0; i < inputs.size(); ++i) {
    request->batch->write_input(request->row, i, inputs[i].data, inputs[i].mask);
  }
  return Code::Ok;
}

Code Scheduler::begin(CompletionQueue& client, const StepSpec& spec, std::vector<Shape> shapes, uint32_t& index) {
  if (fixed_inputs_ ? !shapes.empty() : !shapes_fit(shapes)) return Code::InvalidArgument;
  Request* request = nullptr;
  {
    MutexLock lock(mutex_);
    const Code admitted = admit(client, spec, request);
    if (admitted != Code::Ok) return admitted;
    request->phase = Phase::Filling;
    request->staged = true;
    request->shapes = std::move(shapes);
  }
  index = request->index;
  if (lay_out_staging(*request)) return Code::Ok;
  MutexLock lock(mutex_);
  return refuse(*request, Code::ResourceExhausted);
}

// The bytes are copied without the mutex: until publish the request belongs to the caller alone.
Code Scheduler::append(uint32_t index, size_t input, std::span<const std::byte> bytes, const XorMask& mask) {
  Request* request = nullptr;
  {
    MutexLock lock(mutex_);
    request = &at(index);
  }
  if (request->phase != Phase::Filling || input >= request->inputs.size()) return Code::InvalidArgument;
  StagedInput& staged = request->inputs[input];
  if (bytes.size() > staged.bytes - staged.written) return Code::InvalidArgument;
  if (!count_staged(*request, bytes.size())) return refused_by_bytes();
  mask.copy(request->staging.data() + staged.offset + staged.written, bytes.data(), bytes.size());
  staged.written += bytes.size();
  return Code::Ok;
}

Code Scheduler::set_strings(uint32_t index, size_t input, std::vector<std::string> strings) {
  Request* request = nullptr;
  {
    MutexLock lock(mutex_);
    request = &at(index);
  }
  if (request->phase != Phase::Filling || input >= request->inputs.size()) return Code::InvalidArgument;
  if (!is_string(session_.plan().inputs[input].info.type)) return Code::InvalidArgument;
  const Shape& dims = request->shapes.empty() ? session_.plan().inputs[input].row_dims : request->shapes[input];
  if (strings.size() != checked_elements(dims)) return Code::InvalidArgument;
  size_t bytes = 0;
  for (const std::string& string : strings) bytes += string.size();
  if (!count_staged(*request, bytes)) return refused_by_bytes();
  request->inputs[input].strings = std::move(strings);
  request->inputs[input].written = 1;
  return Code::Ok;
}

Code Scheduler::publish(uint32_t index) {
  MutexLock lock(mutex_);
  Request& request = at(index);
  if (request.phase != Phase::Filling) return Code::InvalidArgument;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const StagedInput& input = request.inputs[i];
    const size_t expected = is_string(session_.plan().inputs[i].info.type) ? 1 : input.bytes;
    if (input.written != expected) return refuse(request, Code::InvalidArgument);
  }
  if (closing_) return refuse(request, Code::Unavailable);
  // What it took to bring the inputs is not the engine's time.
  request.submitted = now_nanos();
  // Those that were begun before the queue was full are not counted by admit.
  return waiting_ >= options_.queue_size ? refuse(request, Code::ResourceExhausted) : enqueue(request);
}

void Scheduler::abandon(uint32_t index) {
  MutexLock lock(mutex_);
  Request& request = at(index);
  if (request.phase == Phase::Filling) free_request(request);
}

Request& Scheduler::at(uint32_t index) {
  if (index >= requests_.size()) bug("a request index out of range");
  return requests_[index];
}

Request& Scheduler::take_request() {
  if (free_requests_.empty()) {
    requests_.emplace_back();
    requests_.back().index = static_cast<uint32_t>(requests_.size() - 1);
    return requests_.back();
  }
  Request& request = requests_[free_requests_.back()];
  free_requests_.pop_back();
  return request;
}

void Scheduler::free_request(Request& request) {
  if (request.step.state != nullptr) {
    StateEntry& entry = *request.step.state;
    request.step.state = nullptr;
    states_.abandon(entry);
    states_.release(entry);
  }
  request.phase = Phase::Free;
  request.cancelled = Code::Ok;
  request.client = nullptr;
  request.batch = nullptr;
  request.uncommitted = false;
  request.staged = false;
  request.inputs.clear();
  request.shapes.clear();
  request.error.clear();
  if (request.staging.capacity() > kKeepStaging) request.staging.clear();
  staged_bytes_.fetch_sub(std::exchange(request.staged_bytes, 0), std::memory_order_relaxed);
  free_requests_.push_back(request.index);
}

bool Scheduler::state_is_free(const Request& request) const {
  return request.step.state == nullptr || request.step.state->idle();
}

bool Scheduler::shapes_fit(const std::vector<Shape>& shapes) const {
  const ModelPlan& plan = session_.plan();
  if (shapes.size() != plan.inputs.size()) return false;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Shape& wanted = plan.inputs[i].row_dims;
    if (shapes[i].size() != wanted.size()) return false;
    for (size_t axis = 0; axis < wanted.size(); ++axis) {
      if (shapes[i][axis] < 0 || (wanted[axis] >= 0 && shapes[i][axis] != wanted[axis])) return false;
    }
    try {
      checked_elements(shapes[i]);
    } catch (const Error&) {
      return false;  // more elements than can be counted
    }
  }
  return true;
}

bool Scheduler::lay_out_staging(Request& request) const {
  const ModelPlan& plan = session_.plan();
  request.inputs.resize(plan.inputs.size());
  size_t total = 0;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const Shape& dims = request.shapes.empty() ? plan.inputs[i].row_dims : request.shapes[i];
    StagedInput& input = request.inputs[i];
    input.offset = total;
    input.bytes = is_string(plan.inputs[i].info.type) ? 0 : row_geometry(plan.inputs[i], dims).submit_bytes();
    input.written = 0;
    total += input.bytes;
  }
  try {
    request.staging.make_room(total);
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

// False: with what is there it is too much. A step that is alone may bring whatever it wants: it could never be taken
// otherwise.
bool Scheduler::count_staged(Request& request, size_t bytes) {
  const size_t before = staged_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  request.staged_bytes += bytes;
  const size_t others = before + bytes - request.staged_bytes;
  return others == 0 || before + bytes <= options_.queue_bytes;
}

Code Scheduler::refused_by_bytes() {
  MutexLock lock(mutex_);
  ++stats_.refused;
  return Code::ResourceExhausted;
}

bool Scheduler::stage(Request& request, std::span<const InputBytes> inputs) {
  request.staged = true;
  if (!lay_out_staging(request)) return false;
  size_t total = 0;
  for (const InputBytes& input : inputs) total += input.bytes;
  if (!count_staged(request, total)) return false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].mask.copy(request.staging.data() + request.inputs[i].offset, inputs[i].data, inputs[i].bytes);
  }
  return true;
}

// False where no memory is left for another batch.
bool Scheduler::join_batch(Request& request) {
  const std::vector<Shape>* shapes = fixed_inputs_ ? nullptr : &request.shapes;
  const std::optional<size_t> found = choose_forming(forming_, shapes);
  Forming* forming = found ? &forming_[*found] : open_batch(request);
  if (forming == nullptr) return false;
  request.batch = forming->batch;
  request.row = forming->size++;
  request.phase = Phase::Forming;
  forming->batch->rows.push_back(&request);
  forming->rank = std::min(forming->rank, request.rank);
  forming->oldest = std::min(forming->oldest, request.submitted);
  forming->shapes = fixed_inputs_ ? nullptr : &forming->batch->rows.front()->shapes;
  if (request.step.state != nullptr) request.step.state->active = &request;
  return true;
}

Forming* Scheduler::open_batch(Request& request) {
  try {
    forming_.reserve(forming_.size() + 1);
    Batch& batch = borrow_batch(request);
    forming_.push_back({&batch, 0, batch.capacity(), UINT8_MAX, request.submitted, nullptr});
    return &forming_.back();
  } catch (const std::exception&) {
    return nullptr;  // refused as RESOURCE_EXHAUSTED and counted; nothing was taken
  }
}

// A batch without rows, laid out for steps like this one. Throws where there is no memory; nothing is taken then.
Batch& Scheduler::borrow_batch(const Request& request) {
  if (free_batches_.empty()) {
    const auto id = static_cast<uint32_t>(batches_.size());
    batches_.push_back(std::make_unique<Batch>(id, session_.plan(), session_.device(), options_.max_batch));
    free_batches_.push_back(batches_.back().get());
  }
  Batch& batch = *free_batches_.back();
  if (!fixed_inputs_) batch.prepare(request.shapes);
  free_batches_.pop_back();
  return batch;
}

void Scheduler::recycle(Batch& batch) {
  batch.rows.clear();
  for (BatchOutput& output : batch.outputs) output.dynamic = Ort::Value{nullptr};
  free_batches_.push_back(&batch);
}

uint32_t Scheduler::pin(std::string_view name) {
  MutexLock lock(mutex_);
  return states_.acquire(name).key;
}

void Scheduler::unpin(uint32_t key) {
  MutexLock lock(mutex_);
  StateEntry* entry = states_.acquire(key);
  if (entry == nullptr) return;
  states_.release(*entry);
  states_.release(*entry);
}

void Scheduler::drop_state(uint32_t key) {
  MutexLock lock(mutex_);
  StateEntry* entry = states_.acquire(key);
  if (entry == nullptr) return;
  states_.drop(*entry);
  states_.release(*entry);
}

void Scheduler::sweep() {
  MutexLock lock(mutex_);
  states_.sweep(now_nanos());
}

std::vector<Eviction> Scheduler::take_evictions() {
  MutexLock lock(mutex_);
  return states_.take_evictions();
}

std::shared_ptr<Buffer> Scheduler::output_buffer(uint32_t batch, size_t output) {
  MutexLock lock(mutex_);
  if (batch >= batches_.size() || output >= batches_[batch]->outputs.size()) bug("a batch or output out of range");
  return batches_[batch]->outputs[output].rows;
}

OutputCopy Scheduler::read_output(uint32_t index, size_t output) {
  const Request* request = nullptr;
  {
    MutexLock lock(mutex_);
    request = &at(index);
    if (request->phase != Phase::Completed || request->batch == nullptr) bug("outputs were read of an unfinished step");
    if (output >= request->batch->outputs.size()) bug("an output out of range");
  }
  return runner_.read_output(*request->batch, request->row, output);
}

std::string Scheduler::error_of(uint32_t index) {
  MutexLock lock(mutex_);
  return at(index).error;
}

}  // namespace headrace
