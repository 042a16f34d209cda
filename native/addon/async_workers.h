// What takes too long for the JavaScript thread: loading a model, waiting for its lanes, and draining it.
#pragma once

#include <napi.h>

#include <memory>

#include "engine.h"

namespace headrace {

// A promise of a NativeEngine. `on_wake` is called on this thread when completions are waiting.
Napi::Value load_async(Napi::Env env, ModelConfig config, const Napi::Function& on_wake);

// A promise that resolves when the engine has drained (or cancelled what was queued) and its lanes have ended.
Napi::Value close_async(Napi::Env env, std::shared_ptr<Engine> engine, bool drain);

// A promise that resolves when the engine has this many lanes.
Napi::Value set_lanes_async(Napi::Env env, std::shared_ptr<Engine> engine, uint32_t lanes);

}  // namespace headrace
