#include "engine_wrap.h"

#include "async_workers.h"
#include "convert.h"
#include "js_error.h"
#include "sharing.h"

namespace headrace {
namespace {

// The bits of a step's `flags` and, from bit 8, its priority: the mirror of StepFlags in src/engine/surface.ts.
constexpr uint32_t kStart = 1;
constexpr uint32_t kEnd = 2;
constexpr uint32_t kHold = 4;
constexpr uint32_t kRow = 8;
constexpr uint32_t kInner = 16;

uint32_t u32(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

StepSpec to_step(const Napi::CallbackInfo& info, size_t first) {
  const int64_t key = info[first].As<Napi::Number>().Int64Value();
  const uint32_t flags = u32(info, first + 1);
  StepSpec spec;
  spec.state = key < 0 ? kNoState : static_cast<uint32_t>(key);
  spec.start = (flags & kStart) != 0;
  spec.end = (flags & kEnd) != 0;
  spec.hold = (flags & kHold) != 0;
  spec.row = (flags & kRow) != 0;
  spec.inner = (flags & kInner) != 0;
  spec.priority = flags >> 8;
  spec.timeout_micros = info[first + 2].As<Napi::Number>().Int64Value();
  return spec;
}

// An index, or a code as a negative number: no object for a refusal.
Napi::Value index_or_code(Napi::Env env, Code code, uint32_t index) {
  return Napi::Number::New(env, code == Code::Ok ? static_cast<double>(index) : -static_cast<double>(code));
}

Napi::Value code_value(Napi::Env env, Code code) { return Napi::Number::New(env, static_cast<double>(code)); }

}  // namespace

Napi::Function EngineWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeEngine",
                     {
                         InstanceMethod<&EngineWrap::describe>("describe"),
                         InstanceMethod<&EngineWrap::records>("records"),
                         InstanceMethod<&EngineWrap::submit>("submit"),
                         InstanceMethod<&EngineWrap::begin>("begin"),
                         InstanceMethod<&EngineWrap::append>("append"),
                         InstanceMethod<&EngineWrap::set_strings>("setStrings"),
                         InstanceMethod<&EngineWrap::publish>("publish"),
                         InstanceMethod<&EngineWrap::abandon>("abandon"),
                         InstanceMethod<&EngineWrap::cancel>("cancel"),
                         InstanceMethod<&EngineWrap::kick>("kick"),
                         InstanceMethod<&EngineWrap::run_inline>("runInline"),
                         InstanceMethod<&EngineWrap::drain>("drain"),
                         InstanceMethod<&EngineWrap::release_drained>("releaseDrained"),
                         InstanceMethod<&EngineWrap::release>("release"),
                         InstanceMethod<&EngineWrap::output_buffer>("outputBuffer"),
                         InstanceMethod<&EngineWrap::read_output>("readOutput"),
                         InstanceMethod<&EngineWrap::error_of>("errorOf"),
                         InstanceMethod<&EngineWrap::pin>("pin"),
                         InstanceMethod<&EngineWrap::unpin>("unpin"),
                         InstanceMethod<&EngineWrap::drop_state>("dropState"),
                         InstanceMethod<&EngineWrap::sweep>("sweep"),
                         InstanceMethod<&EngineWrap::export_state>("exportState"),
                         InstanceMethod<&EngineWrap::import_state>("importState"),
                         InstanceMethod<&EngineWrap::stats>("stats"),
                         InstanceMethod<&EngineWrap::stalled>("stalled"),
                         InstanceMethod<&EngineWrap::times_of>("timesOf"),
                         InstanceMethod<&EngineWrap::reference>("reference"),
                         InstanceMethod<&EngineWrap::share>("share"),
                         InstanceMethod<&EngineWrap::set_lanes>("setLanes"),
                         InstanceMethod<&EngineWrap::close>("close"),
                         InstanceMethod<&EngineWrap::let_go_now>("letGo"),
                     });
}

EngineWrap::EngineWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineWrap>(info) {
  engine_ = *info[0].As<Napi::External<std::shared_ptr<Engine>>>().Data();
  completions_ = std::make_unique<Completions>(info.Env(), info[1].As<Napi::Function>());
  // After the wake-up was made: hooks run last in, first out, and ours must find it alive.
  napi_add_env_cleanup_hook(info.Env(), on_environment_end, this);
  hooked_ = true;
}

EngineWrap::~EngineWrap() {
  if (hooked_) napi_remove_env_cleanup_hook(Env(), on_environment_end, this);
  let_go();
}

void EngineWrap::on_environment_end(void* self) {
  auto* wrap = static_cast<EngineWrap*>(self);
  wrap->hooked_ = false;
  wrap->let_go();
}

void EngineWrap::let_go() {
  if (!engine_) return;
  engine_->scheduler().detach(completions_->queue());
  completions_->close();
  engine_.reset();
}

Scheduler& EngineWrap::scheduler(const Napi::CallbackInfo& info) {
  if (!engine_) throw make_js_error(info.Env(), Code::Unavailable, "the engine is closed");
  return engine_->scheduler();
}

Napi::Value EngineWrap::describe(const Napi::CallbackInfo& info) {
  scheduler(info);
  return to_js_description(info.Env(), *engine_);
}

Napi::Value EngineWrap::records(const Napi::CallbackInfo& info) { return completions_->records(info.Env()); }

// submit(buffer, offset, length, stateKey, flags, timeoutMicros)
Napi::Value EngineWrap::submit(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::span<const std::byte> bytes = to_bytes(info[0], u32(info, 1), u32(info, 2));
    const InputBytes input{bytes.data(), bytes.size()};
    uint32_t index = 0;
    const Code code = scheduler(info).submit(completions_->queue(), to_step(info, 3), {&input, 1}, index);
    return index_or_code(info.Env(), code, index);
  });
}

// begin(stateKey, flags, timeoutMicros, shapes | undefined)
Napi::Value EngineWrap::begin(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    std::vector<Shape> shapes;
    if (info[3].IsArray()) {
      const Napi::Array array = info[3].As<Napi::Array>();
      for (uint32_t i = 0; i < array.Length(); ++i) shapes.push_back(to_shape(array.Get(i)));
    }
    uint32_t index = 0;
    const Code code = scheduler(info).begin(completions_->queue(), to_step(info, 0), std::move(shapes), index);
    return index_or_code(info.Env(), code, index);
  });
}

// append(request, input, buffer, offset, length)
Napi::Value EngineWrap::append(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto bytes = to_bytes(info[2], u32(info, 3), u32(info, 4));
    return code_value(info.Env(), scheduler(info).append(u32(info, 0), u32(info, 1), bytes));
  });
}

// setStrings(request, input, Uint8Array[])
Napi::Value EngineWrap::set_strings(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Array array = info[2].As<Napi::Array>();
    std::vector<std::string> strings;
    strings.reserve(array.Length());
    for (uint32_t i = 0; i < array.Length(); ++i) {
      const Napi::Uint8Array bytes = array.Get(i).As<Napi::Uint8Array>();
      strings.emplace_back(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
    }
    return code_value(info.Env(), scheduler(info).set_strings(u32(info, 0), u32(info, 1), std::move(strings)));
  });
}

Napi::Value EngineWrap::publish(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return code_value(info.Env(), scheduler(info).publish(u32(info, 0))); });
}

Napi::Value EngineWrap::abandon(const Napi::CallbackInfo& info) {
  scheduler(info).abandon(u32(info, 0));
  return info.Env().Undefined();
}

// cancel(request, code): whether it will end with that code
Napi::Value EngineWrap::cancel(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), scheduler(info).cancel(u32(info, 0), static_cast<Code>(u32(info, 1))));
}

Napi::Value EngineWrap::kick(const Napi::CallbackInfo& info) {
  scheduler(info).kick();
  return info.Env().Undefined();
}

// runInline(budgetMicros): whether steps are left
Napi::Value EngineWrap::run_inline(const Napi::CallbackInfo& info) {
  const Nanos budget = info[0].As<Napi::Number>().Int64Value() * 1000;
  return Napi::Boolean::New(info.Env(), scheduler(info).run_inline(budget, &completions_->queue()));
}

Napi::Value EngineWrap::drain(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), completions_->drain());
}

Napi::Value EngineWrap::release_drained(const Napi::CallbackInfo& info) {
  // After close nobody is left to give the rows back to: detaching released them.
  if (engine_) engine_->scheduler().release(completions_->releasable(), false);
  return info.Env().Undefined();
}

// release(request, commit)
Napi::Value EngineWrap::release(const Napi::CallbackInfo& info) {
  const uint32_t index = u32(info, 0);
  if (engine_) engine_->scheduler().release({&index, 1}, info[1].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

// outputBuffer(batch, output): an ArrayBuffer over the batch's rows of that output
Napi::Value EngineWrap::output_buffer(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto buffer = std::make_unique<std::shared_ptr<Buffer>>(scheduler(info).output_buffer(u32(info, 0), u32(info, 1)));
    if (!*buffer) bug("the buffer of an output that is not preallocated was asked for");
    void* data = (*buffer)->data();
    const size_t bytes = (*buffer)->bytes();
    const auto free = [](Napi::Env, void*, std::shared_ptr<Buffer>* held) {
      std::unique_ptr<std::shared_ptr<Buffer>> owned(held);
    };
    return Napi::ArrayBuffer::New(info.Env(), data, bytes, free, buffer.release());
  });
}

// readOutput(request, output): { shape, bytes: ArrayBuffer } or { shape, strings: Uint8Array[] }
Napi::Value EngineWrap::read_output(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const uint32_t output = u32(info, 1);
    const OutputCopy copy = scheduler(info).read_output(u32(info, 0), output);
    Napi::Object result = Napi::Object::New(env);
    result.Set("shape", to_js_shape(env, copy.shape));
    if (is_string(engine_->session().plan().outputs[output].info.type)) {
      Napi::Array strings = Napi::Array::New(env, copy.strings.size());
      for (size_t i = 0; i < copy.strings.size(); ++i) {
        Napi::Uint8Array bytes = Napi::Uint8Array::New(env, copy.strings[i].size());
        std::copy(copy.strings[i].begin(), copy.strings[i].end(), bytes.Data());
        strings.Set(static_cast<uint32_t>(i), bytes);
      }
      result.Set("strings", strings);
    } else {
      Napi::ArrayBuffer bytes = Napi::ArrayBuffer::New(env, copy.bytes.size());
      std::copy(copy.bytes.begin(), copy.bytes.end(), static_cast<std::byte*>(bytes.Data()));
      result.Set("bytes", bytes);
    }
    return result;
  });
}

Napi::Value EngineWrap::error_of(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), scheduler(info).error_of(u32(info, 0)));
}

Napi::Value EngineWrap::pin(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), scheduler(info).pin(info[0].As<Napi::String>().Utf8Value()));
}

Napi::Value EngineWrap::unpin(const Napi::CallbackInfo& info) {
  if (engine_) engine_->scheduler().unpin(u32(info, 0));
  return info.Env().Undefined();
}

Napi::Value EngineWrap::drop_state(const Napi::CallbackInfo& info) {
  if (engine_) engine_->scheduler().drop_state(u32(info, 0));
  return info.Env().Undefined();
}

// sweep(): [stateId, "ttl" | "lru", …] of what was evicted since the last call
Napi::Value EngineWrap::sweep(const Napi::CallbackInfo& info) {
  Scheduler& target = scheduler(info);
  target.sweep();
  const std::vector<Eviction> evictions = target.take_evictions();
  Napi::Array result = Napi::Array::New(info.Env(), evictions.size() * 2);
  uint32_t next = 0;
  for (const Eviction& eviction : evictions) {
    result.Set(next++, eviction.name);
    result.Set(next++, eviction.reason == EvictReason::Ttl ? "ttl" : "lru");
  }
  return result;
}

// exportState(name): ArrayBuffer, or a code
Napi::Value EngineWrap::export_state(const Napi::CallbackInfo& info) {
  std::vector<std::byte> bytes;
  const Code code = scheduler(info).export_state(info[0].As<Napi::String>().Utf8Value(), bytes);
  if (code != Code::Ok) return code_value(info.Env(), code);
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(info.Env(), bytes.size());
  std::copy(bytes.begin(), bytes.end(), static_cast<std::byte*>(buffer.Data()));
  return buffer;
}

// importState(name, buffer, offset, length): a code
Napi::Value EngineWrap::import_state(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto bytes = to_bytes(info[1], u32(info, 2), u32(info, 3));
    return code_value(info.Env(), scheduler(info).import_state(info[0].As<Napi::String>().Utf8Value(), bytes));
  });
}

Napi::Value EngineWrap::stats(const Napi::CallbackInfo& info) {
  return to_js_stats(info.Env(), scheduler(info).stats());
}

// stalled(): nanoseconds
Napi::Value EngineWrap::stalled(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(scheduler(info).stalled()));
}

// timesOf(request): [queue, gather, run, scatter, rows], in nanoseconds
Napi::Value EngineWrap::times_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const StepTimes times = scheduler(info).times_of(u32(info, 0));
    const Nanos values[] = {times.queue, times.run.gather, times.run.run, times.run.scatter, times.rows};
    Napi::Array result = Napi::Array::New(info.Env(), std::size(values));
    for (uint32_t i = 0; i < std::size(values); ++i) result.Set(i, static_cast<double>(values[i]));
    return result;
  });
}

// reference(on): whether the event loop stays alive for wake-ups
Napi::Value EngineWrap::reference(const Napi::CallbackInfo& info) {
  completions_->wake_up().reference(info.Env(), info[0].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

// share(): a token with which another thread of this process attaches to the same engine
Napi::Value EngineWrap::share(const Napi::CallbackInfo& info) {
  scheduler(info);
  return Napi::Number::New(info.Env(), share_engine(engine_));
}

// setLanes(count, done); 0 is inline
Napi::Value EngineWrap::set_lanes(const Napi::CallbackInfo& info) {
  scheduler(info);
  set_lanes_async(engine_, u32(info, 0), info[1].As<Napi::Function>());
  return info.Env().Undefined();
}

// close(drain, done): then every step has had its completion and the lanes are gone
Napi::Value EngineWrap::close(const Napi::CallbackInfo& info) {
  const auto done = info[1].As<Napi::Function>();
  if (engine_) {
    close_async(engine_, info[0].As<Napi::Boolean>().Value(), done);
  } else {
    done.Call({});
  }
  return info.Env().Undefined();
}

// letGo(): the engine is freed, unless another thread shares it; nothing but drain() works from here on
Napi::Value EngineWrap::let_go_now(const Napi::CallbackInfo& info) {
  let_go();
  return info.Env().Undefined();
}

}  // namespace headrace
