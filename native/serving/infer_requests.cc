#include "infer_requests.h"

#include <charconv>
#include <cstring>

#include "connection.h"
#include "infer_error.h"
#include "io_thread.h"

namespace headrace {
namespace {

// Answers from this size on are compressed for clients that take it (src/drivers/http/compression.ts).
constexpr size_t kMinCompressed = 1024;
constexpr size_t kMaxLengthDigits = 15;

// What the fields of a request say about how it is to be read and answered.
struct InferFields {
  std::optional<size_t> header_bytes;  // of the JSON in a binary body
  bool takes_compressed = false;
};

bool read_length(std::string_view value, std::optional<size_t>& length) {
  if (length || value.empty() || value.size() > kMaxLengthDigits) return false;
  const char* const end = value.data() + value.size();
  const auto [after, error] = std::from_chars(value.data(), end, length.emplace());
  // 0 stands for a body that is all tensor.
  return error == std::errc{} && after == end && *length > 0;
}

// False: one of them makes it a request for JavaScript.
bool read_fields(const HttpHead& head, InferFields& fields) {
  for (const HeaderField& field : head.fields) {
    switch (field.name.size()) {
      case 12:
        if (field.name == "x-request-id") return false;
        break;
      case 15:
        if (field.name == "accept-encoding" && !field.value.empty()) fields.takes_compressed = true;
        break;
      case 16:
        if (field.name == "content-encoding") return false;
        break;
      case 31:
        if (field.name == "inference-header-content-length" && !read_length(field.value, fields.header_bytes))
          return false;
        break;
      default:
        break;
    }
  }
  return true;
}

// Of buffers that serve the next request too; one large answer must not keep its memory for ever.
constexpr size_t kKeptBytes = 1 << 20;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

// A request that was taken, until it is answered or its client has gone.
class InferRequests::Call final : public StepSink {
 public:
  explicit Call(InferRequests& owner) : owner_(owner) {}

  // Null: it is free.
  Connection* connection = nullptr;
  InferModel* model = nullptr;
  std::shared_ptr<const PinnedPlan> plan;
  std::vector<uint32_t> requests;  // of its rows
  size_t open = 0;                 // steps without an outcome
  std::vector<std::byte> outputs;  // of all rows, as far as they are there; unused where there is one

  void completed(const Completion& completion) override {
    --open;
    if (completion.code != Code::Ok) return fail(completion);
    std::vector<std::byte>& rows = requests.size() == 1 ? owner_.rows_ : outputs;
    rows.resize(plan->plan().output_bytes);
    copy(completion, rows);
    if (open == 0) respond(rows);
  }

  // Steps that are under way are cancelled, and not heard of.
  void cancel() {
    for (const uint32_t request : requests) model->client().cancel(*this, request);
    open = 0;
  }

  void fail(Code code, std::string_view detail) {
    count(code);
    const InferError error = infer_error(code, detail);
    connection->respond(error.head, std::as_bytes(std::span(error.body)));
    owner_.finish(*this);
  }

 private:
  // A row that fails ends the others.
  void fail(const Completion& completion) {
    const std::string detail = model->client().scheduler().error_of(completion.request);
    cancel();
    fail(completion.code, detail);
  }

  void copy(const Completion& completion, std::span<std::byte> to) const {
    size_t row = 0;
    while (requests[row] != completion.request) ++row;
    for (const InferOutputRows& output : plan->plan().outputs) {
      const std::byte* const from = model->client().output(completion, output.index);
      std::memcpy(to.data() + output.offset + row * output.row_bytes, from, output.row_bytes);
    }
  }

  void respond(std::span<const std::byte> rows) {
    count(Code::Ok);
    plan->plan().write_body(rows, owner_.body_);
    connection->respond(plan->plan().head, owner_.body_);
    owner_.finish(*this);
  }

  void count(Code code) { ++model->counts.answers[static_cast<size_t>(code)]; }

  InferRequests& owner_;
};

InferRequests::InferRequests(IoThread& io) : io_(io) { io_.add(*this); }

InferRequests::~InferRequests() {
  io_.remove(*this);
  for (const auto& call : calls_) {
    if (call->connection != nullptr) call->cancel();
  }
}

void InferRequests::serve(const std::shared_ptr<InferModel>& model, const std::vector<std::string>& paths) {
  std::erase_if(models_, [&](const auto& entry) { return entry.second == model; });
  for (const std::string& path : paths) models_.insert_or_assign(path, model);
}

void InferRequests::remove(const std::shared_ptr<InferModel>& model) {
  serve(model, {});
  for (const auto& call : calls_) {
    if (call->connection == nullptr || call->model != model.get()) continue;
    call->cancel();
    call->fail(Code::Unavailable, "");
  }
}

bool InferRequests::wants(const HttpHead& head) const {
  if (head.method != "POST" || !head.query.empty()) return false;
  const auto found = models_.find(head.path);
  // What is too large is refused before it has come.
  return found != models_.end() && head.content_length.value_or(0) <= found->second->spec().max_body;
}

bool InferRequests::request(Connection& connection, const HttpHead& head, std::span<const std::byte> body) {
  const auto found = models_.find(head.path);
  InferFields fields;
  if (found == models_.end() || !read_fields(head, fields)) return false;
  InferModel& model = *found->second;
  if (body.size() > model.spec().max_body) return false;
  std::span<const std::byte> tensors;
  std::shared_ptr<const PinnedPlan> plan = plan_of(model, fields.header_bytes, body, tensors);
  if (!plan || tensors.size() != plan->plan().input_bytes) return false;
  if (fields.takes_compressed && plan->plan().most_body >= kMinCompressed) return false;
  // Whoever follows the stream wants to know more of the request.
  if (model.client().is_tapped(plan->step().state)) return false;
  Call& call = take_call();
  call.connection = &connection;
  call.model = &model;
  call.plan = std::move(plan);
  ++model.counts.under_way;
  if (submit(call, tensors)) {
    ++model.counts.requests;
    return true;
  }
  call.cancel();
  finish(call);
  return false;
}

std::shared_ptr<const PinnedPlan> InferRequests::plan_of(InferModel& model, std::optional<size_t> header_bytes,
                                                         std::span<const std::byte> body,
                                                         std::span<const std::byte>& tensors) {
  if (header_bytes) {
    if (*header_bytes > body.size()) return nullptr;
    tensors = body.subspan(*header_bytes);
    return model.plan(text_of(body.first(*header_bytes)), false);
  }
  if (!reader_.read(text_of(body)) || reader_.problem()) return nullptr;
  tensors = reader_.data().bytes();
  return model.plan(reader_.header(), true);
}

// False: the engine did not take all of its rows.
bool InferRequests::submit(Call& call, std::span<const std::byte> tensors) {
  const InferPlan& plan = call.plan->plan();
  StepSpec step = call.plan->step();
  inputs_.resize(plan.inputs.size());
  for (uint32_t row = 0; row < plan.rows; ++row) {
    for (size_t i = 0; i < plan.inputs.size(); ++i) {
      const InferRows& input = plan.inputs[i];
      inputs_[i] = {tensors.data() + input.offset + row * input.row_bytes, input.row_bytes};
    }
    step.row = row + 1 < plan.rows;
    uint32_t request = 0;
    if (call.model->client().submit(call, step, inputs_, request) != Code::Ok) return false;
    call.requests.push_back(request);
    ++call.open;
  }
  return true;
}

// Its client has gone.
void InferRequests::aborted(Connection& connection) {
  for (const auto& call : calls_) {
    if (call->connection != &connection) continue;
    call->cancel();
    finish(*call);
    return;
  }
}

InferRequests::Call& InferRequests::take_call() {
  if (free_calls_.empty()) return *calls_.emplace_back(std::make_unique<Call>(*this));
  Call& call = *free_calls_.back();
  free_calls_.pop_back();
  return call;
}

void InferRequests::finish(Call& call) {
  --call.model->counts.under_way;
  call.connection = nullptr;
  call.model = nullptr;
  call.plan.reset();
  call.requests.clear();
  call.open = 0;
  free_calls_.push_back(&call);
  for (std::vector<std::byte>* bytes : {&call.outputs, &rows_, &body_}) {
    if (bytes->capacity() > kKeptBytes) std::vector<std::byte>().swap(*bytes);
  }
}

}  // namespace headrace
