// What takes too long for the JavaScript thread: loading a model, waiting for its lanes, draining it, and inflating
// what is large.
#pragma once

#include <napi.h>

#include <memory>

#include "engine.h"
#include "inflater.h"

namespace headrace {

// A promise of a NativeEngine. `on_wake` is called on this thread when completions are waiting.
Napi::Value load_async(Napi::Env env, ModelConfig config, const Napi::Function& on_wake);

// A promise that resolves when the engine has drained (or cancelled what was queued) and its lanes have ended.
Napi::Value close_async(Napi::Env env, std::shared_ptr<Engine> engine, bool drain);

// A promise that resolves when the engine has this many lanes.
Napi::Value set_lanes_async(Napi::Env env, std::shared_ptr<Engine> engine, uint32_t lanes);

// A promise of NativeInflated. The bytes must not change until then.
Napi::Value inflate_async(Napi::Env env, const Napi::ArrayBuffer& buffer, std::span<const std::byte> packed,
                          Packing packing, size_t limit);

}  // namespace headrace
