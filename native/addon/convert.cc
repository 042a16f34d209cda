#include "convert.h"

#include <cstring>

#include "status.h"

namespace headrace {
namespace {

std::string text(const Napi::Object& object, const char* key) { return object.Get(key).As<Napi::String>().Utf8Value(); }

uint32_t unsigned_or(const Napi::Object& object, const char* key, uint32_t otherwise) {
  const Napi::Value value = object.Get(key);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : otherwise;
}

int64_t integer_or(const Napi::Object& object, const char* key, int64_t otherwise) {
  const Napi::Value value = object.Get(key);
  return value.IsNumber() ? value.As<Napi::Number>().Int64Value() : otherwise;
}

template <typename Item>
std::vector<Item> list(const Napi::Value& value, Item (*convert)(const Napi::Object&)) {
  std::vector<Item> items;
  if (!value.IsArray()) return items;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) items.push_back(convert(array.Get(i).As<Napi::Object>()));
  return items;
}

StatePair to_state_pair(const Napi::Object& object) {
  StatePair pair{text(object, "input"), text(object, "output"), std::nullopt};
  if (object.Get("batchAxis").IsNumber()) pair.batch_axis = object.Get("batchAxis").As<Napi::Number>().Int32Value();
  return pair;
}

ContextConfig to_context(const Napi::Object& object) {
  return {text(object, "input"), integer_or(object, "size", 0), static_cast<int>(integer_or(object, "axis", -1))};
}

ShapeConfig to_shape_config(const Napi::Object& object) {
  return {text(object, "input"), to_shape(object.Get("dims"))};
}

ConstantConfig to_constant(const Napi::Object& object) {
  ConstantConfig constant{text(object, "input"), int64_t{0}};
  const Napi::Value value = object.Get("value");
  if (value.IsBigInt()) {
    bool lossless = false;
    constant.value = value.As<Napi::BigInt>().Int64Value(&lossless);
    if (!lossless) throw Error(Code::InvalidArgument, "constant '" + constant.input + "' does not fit 64 signed bits");
  } else if (value.IsNumber()) {
    constant.value = value.As<Napi::Number>().DoubleValue();
  } else if (value.IsBoolean()) {
    constant.value = value.As<Napi::Boolean>().Value();
  } else if (value.IsString()) {
    constant.value = value.As<Napi::String>().Utf8Value();
  } else {
    Napi::ArrayBuffer buffer = value.As<Napi::ArrayBuffer>();
    const auto* data = static_cast<const std::byte*>(buffer.Data());
    constant.value = std::vector<std::byte>(data, data + buffer.ByteLength());
  }
  return constant;
}

Execution to_execution(const std::string& name) {
  if (name == "inline") return Execution::Inline;
  return name == "lanes" ? Execution::Lanes : Execution::Auto;
}

Napi::Object tensor_entry(Napi::Env env, const TensorInfo& info, int batch_axis, const Shape& row_dims, bool fixed) {
  Napi::Object entry = Napi::Object::New(env);
  entry.Set("name", info.name);
  entry.Set("datatype", v2_datatype(info.type, info.name));
  entry.Set("modelShape", to_js_shape(env, info.dims));
  entry.Set("batchAxis", batch_axis);
  entry.Set("rowShape", to_js_shape(env, row_dims));
  entry.Set("fixed", fixed);
  return entry;
}

template <typename Items, typename Convert>
Napi::Array array_of(Napi::Env env, const Items& items, Convert&& convert) {
  Napi::Array array = Napi::Array::New(env, items.size());
  for (size_t i = 0; i < items.size(); ++i) array.Set(static_cast<uint32_t>(i), convert(items[i]));
  return array;
}

Napi::Array describe_inputs(Napi::Env env, const ModelPlan& plan) {
  return array_of(env, plan.inputs, [&](const DataInput& input) {
    Napi::Object entry = tensor_entry(env, input.info, input.batch_axis, input.row_dims, input.fixed);
    entry.Set("rowBytes", static_cast<double>(input.fixed ? row_geometry(input, input.row_dims).submit_bytes() : 0));
    entry.Set("context", static_cast<double>(input.context ? input.context->size : 0));
    return entry;
  });
}

Napi::Array describe_outputs(Napi::Env env, const ModelPlan& plan) {
  return array_of(env, plan.outputs, [&](const DataOutput& output) {
    Napi::Object entry = tensor_entry(env, output.info, output.batch_axis, output.row_dims, output.fixed);
    const size_t bytes = output.fixed ? checked_elements(output.row_dims) * element_size(output.info.type) : 0;
    entry.Set("rowBytes", static_cast<double>(bytes));
    return entry;
  });
}

Napi::Array describe_states(Napi::Env env, const ModelPlan& plan) {
  return array_of(env, plan.states, [&](const RecurrentState& state) {
    Napi::Object entry = tensor_entry(env, state.input, state.batch_axis, state.row_dims, true);
    entry.Set("output", state.output);
    entry.Set("rowBytes", static_cast<double>(state.row_bytes));
    return entry;
  });
}

Napi::BigInt big(Napi::Env env, uint64_t value) { return Napi::BigInt::New(env, value); }

Napi::BigInt big(Napi::Env env, Nanos value) { return Napi::BigInt::New(env, static_cast<uint64_t>(value)); }

Napi::Object to_js_durations(Napi::Env env, const DurationHistogram& histogram) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("counts", array_of(env, histogram.counts(), [&](uint64_t count) { return big(env, count); }));
  result.Set("nanos", big(env, histogram.sum()));
  return result;
}

Napi::Object to_js_phases(Napi::Env env, const RequestPhases& phases) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("count", big(env, phases.count));
  result.Set("queueNanos", big(env, phases.queue));
  result.Set("gatherNanos", big(env, phases.gather));
  result.Set("runNanos", big(env, phases.run));
  result.Set("scatterNanos", big(env, phases.scatter));
  return result;
}

Napi::Object to_js_runs(Napi::Env env, const RunTotals& totals) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("runs", big(env, totals.runs));
  result.Set("gatherNanos", big(env, totals.gather));
  result.Set("runNanos", big(env, totals.run));
  result.Set("scatterNanos", big(env, totals.scatter));
  return result;
}

}  // namespace

Shape to_shape(const Napi::Value& value) {
  Shape shape;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) shape.push_back(array.Get(i).As<Napi::Number>().Int64Value());
  return shape;
}

Napi::Array to_js_shape(Napi::Env env, const Shape& shape) {
  Napi::Array array = Napi::Array::New(env, shape.size());
  for (size_t i = 0; i < shape.size(); ++i) array.Set(static_cast<uint32_t>(i), static_cast<double>(shape[i]));
  return array;
}

ModelConfig to_model_config(const Napi::Object& object) {
  ModelConfig config;
  config.path = text(object, "path");
  config.constants = list<ConstantConfig>(object.Get("constants"), to_constant);
  if (object.Get("state").IsArray()) config.state = list<StatePair>(object.Get("state"), to_state_pair);
  config.context = list<ContextConfig>(object.Get("context"), to_context);
  config.shapes = list<ShapeConfig>(object.Get("shapes"), to_shape_config);
  config.max_batch = unsigned_or(object, "maxBatch", config.max_batch);
  config.max_delay_micros = integer_or(object, "maxDelayMicros", config.max_delay_micros);
  config.queue_size = unsigned_or(object, "queueSize", config.queue_size);
  config.queue_bytes = integer_or(object, "queueBytes", config.queue_bytes);
  config.lanes = unsigned_or(object, "lanes", config.lanes);
  config.intra_op_threads = unsigned_or(object, "intraOpThreads", config.intra_op_threads);
  config.state_ttl_millis = integer_or(object, "stateTtlMillis", config.state_ttl_millis);
  config.max_states = unsigned_or(object, "maxStates", config.max_states);
  if (object.Get("execution").IsString()) config.execution = to_execution(text(object, "execution"));
  if (object.Get("evict").IsString() && text(object, "evict") == "lru") config.evict = EvictPolicy::Lru;
  return config;
}

Napi::Object to_js_description(Napi::Env env, const Engine& engine) {
  const ModelPlan& plan = engine.session().plan();
  const Calibration& calibration = engine.calibration();
  Napi::Object result = Napi::Object::New(env);
  result.Set("inputs", describe_inputs(env, plan));
  result.Set("outputs", describe_outputs(env, plan));
  result.Set("states", describe_states(env, plan));
  result.Set("constants", array_of(env, plan.constants, [&](const ConstantInput& constant) {
               return Napi::String::New(env, constant.info.name);
             }));
  result.Set("stateful", plan.stateful());
  result.Set("stateBytes", static_cast<double>(record_layout(plan).bytes));
  result.Set("batchable", plan.batchable);
  result.Set("whyNotBatchable", plan.why_not_batchable);
  result.Set("maxBatch", calibration.max_batch);
  result.Set("execution", calibration.run_inline ? "inline" : "lanes");
  result.Set("lanes", calibration.lanes);
  result.Set("timings", array_of(env, calibration.timings, [&](const BatchTiming& timing) {
               Napi::Object entry = Napi::Object::New(env);
               entry.Set("rows", timing.rows);
               entry.Set("micros", static_cast<double>(timing.nanos) / 1000.0);
               return entry;
             }));
  return result;
}

Napi::Object to_js_stats(Napi::Env env, const Stats& stats) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("succeeded", big(env, stats.succeeded));
  result.Set("failed", big(env, stats.failed));
  result.Set("cancelled", big(env, stats.cancelled));
  result.Set("timedOut", big(env, stats.timed_out));
  result.Set("refused", big(env, stats.refused));
  result.Set("batches", big(env, stats.batches));
  result.Set("dispatchedFull", big(env, stats.dispatched_full));
  result.Set("dispatchedIdle", big(env, stats.dispatched_idle));
  result.Set("dispatchedDelay", big(env, stats.dispatched_delay));
  result.Set("splits", big(env, stats.splits));
  result.Set("queue", to_js_durations(env, stats.queue_time));
  result.Set("gather", to_js_durations(env, stats.gather_time));
  result.Set("run", to_js_durations(env, stats.run_time));
  result.Set("scatter", to_js_durations(env, stats.scatter_time));
  result.Set("requests", array_of(env, stats.requests, [&](uint64_t count) { return big(env, count); }));
  result.Set("request", to_js_durations(env, stats.request_time));
  result.Set("failedRequestNanos", big(env, stats.failed_request_time));
  result.Set("phases", to_js_phases(env, stats.phases));
  result.Set("batchSizes", array_of(env, stats.batch_sizes, [&](uint64_t count) { return big(env, count); }));
  result.Set("runs", array_of(env, stats.runs, [&](const RunTotals& totals) { return to_js_runs(env, totals); }));
  result.Set("lastRunMillis", static_cast<double>(stats.last_run_millis));
  result.Set("waiting", static_cast<double>(stats.waiting));
  result.Set("running", static_cast<double>(stats.running));
  result.Set("stalledNanos", static_cast<double>(stats.stalled));
  result.Set("liveStates", static_cast<double>(stats.live_states));
  result.Set("evictedStates", big(env, stats.evicted_states));
  result.Set("stateBytes", static_cast<double>(stats.state_bytes));
  return result;
}

namespace {

// Small ones are copied: memory of another owner costs V8 more than that.
constexpr size_t kCopiedBytes = size_t{64} << 10;

Napi::ArrayBuffer to_js_buffer(Napi::Env env, std::unique_ptr<std::byte[]> bytes, size_t size) {
  if (size > kCopiedBytes) {
    const auto free = [](Napi::Env, void* data) { std::unique_ptr<std::byte[]> owned(static_cast<std::byte*>(data)); };
    return Napi::ArrayBuffer::New(env, bytes.release(), size, free);
  }
  Napi::ArrayBuffer copy = Napi::ArrayBuffer::New(env, size);
  if (size > 0) std::memcpy(copy.Data(), bytes.get(), size);
  return copy;
}

}  // namespace

Napi::Object to_js_inflated(Napi::Env env, Inflated inflated) {
  using enum Inflated::Outcome;
  Napi::Object result = Napi::Object::New(env);
  result.Set("outcome", static_cast<uint32_t>(inflated.outcome));
  if (inflated.outcome == Whole) result.Set("bytes", to_js_buffer(env, std::move(inflated.bytes), inflated.size));
  if (inflated.outcome == Broken) result.Set("reason", inflated.reason);
  if (inflated.outcome == Followed) result.Set("leftOver", static_cast<double>(inflated.left_over));
  return result;
}

std::span<const std::byte> to_bytes(const Napi::Value& buffer, size_t offset, size_t length) {
  void* data = nullptr;
  size_t available = 0;
  if (napi_get_arraybuffer_info(buffer.Env(), buffer, &data, &available) != napi_ok) {
    throw Error(Code::InvalidArgument, "an ArrayBuffer is needed");
  }
  if (offset > available || length > available - offset) {
    throw Error(Code::InvalidArgument, "the bytes asked for lie outside the ArrayBuffer");
  }
  return {static_cast<const std::byte*>(data) + offset, length};
}

}  // namespace headrace
