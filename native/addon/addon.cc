// Registration only. The surface is typed in src/engine/surface.ts.
#include <napi.h>

#include "async_workers.h"
#include "convert.h"
#include "engine_wrap.h"
#include "env_data.h"
#include "js_error.h"
#include "json_wrap.h"
#include "ort.h"
#include "server_wrap.h"
#include "sharing.h"
#include "stream_error.h"

namespace headrace {
namespace {

// openOnnxRuntime(path): its version
Napi::Value open_runtime(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    open_onnxruntime(info[0].As<Napi::String>().Utf8Value());
    return Napi::String::New(info.Env(), onnxruntime_version());
  });
}

// load(config, onWake, done): NativeEngine
Napi::Value load(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    load_async(to_model_config(info[0].As<Napi::Object>()), info[1].As<Napi::Function>(), info[2].As<Napi::Function>());
    return info.Env().Undefined();
  });
}

// attach(token, onWake): a NativeEngine over an engine that another thread shared
Napi::Value attach(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    std::shared_ptr<Engine> engine = shared_engine(info[0].As<Napi::Number>().Uint32Value());
    if (!engine) throw Error(Code::Unavailable, "the shared engine has been closed");
    return wrap_engine(info.Env(), std::move(engine), info[1].As<Napi::Function>());
  });
}

struct PackedArguments {
  std::span<const std::byte> packed;
  Packing packing;
  size_t limit;
};

// (buffer, offset, length, isGzip, limit)
PackedArguments packed_arguments(const Napi::CallbackInfo& info) {
  const auto number = [&](size_t index) { return static_cast<size_t>(info[index].As<Napi::Number>().Int64Value()); };
  return {to_bytes(info[0], number(1), number(2)), info[3].As<Napi::Boolean>().Value() ? Packing::Gzip : Packing::Zlib,
          number(4)};
}

// inflateNow(buffer, offset, length, isGzip, limit): NativeInflated
Napi::Value inflate_now(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto [packed, packing, limit] = packed_arguments(info);
    return to_js_inflated(info.Env(), inflate_whole(packed, packing, limit));
  });
}

// inflate(buffer, offset, length, isGzip, limit, done): NativeInflated
Napi::Value inflate_later(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto [packed, packing, limit] = packed_arguments(info);
    inflate_async(info[0].As<Napi::ArrayBuffer>(), packed, packing, limit, info[5].As<Napi::Function>());
    return info.Env().Undefined();
  });
}

// stepErrorMessage(code, detail): what a step's code means to whoever submitted it
Napi::Value step_message(const Napi::CallbackInfo& info) {
  const auto code = static_cast<Code>(info[0].As<Napi::Number>().Int32Value());
  return Napi::String::New(info.Env(), step_error_message(code, info[1].As<Napi::String>().Utf8Value()));
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto data = std::make_unique<EnvData>();
  data->engine_class = Napi::Persistent(EngineWrap::define(env));
  env.SetInstanceData(data.release());  // freed by the environment
  exports.Set("openOnnxRuntime", Napi::Function::New<open_runtime>(env, "openOnnxRuntime"));
  exports.Set("load", Napi::Function::New<load>(env, "load"));
  exports.Set("stepErrorMessage", Napi::Function::New<step_message>(env, "stepErrorMessage"));
  exports.Set("inflateNow", Napi::Function::New<inflate_now>(env, "inflateNow"));
  exports.Set("inflate", Napi::Function::New<inflate_later>(env, "inflate"));
  exports.Set("NativeJson", JsonWrap::define(env));
  exports.Set("NativeServer", ServerWrap::define(env));
  exports.Set("attach", Napi::Function::New<attach>(env, "attach"));
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, initialise)

}  // namespace headrace
