// What the addon keeps for each JavaScript environment (main thread or worker).
#pragma once

#include <napi.h>

#include <memory>

#include "engine.h"

namespace headrace {

struct EnvData {
  Napi::FunctionReference engine_class;
};

// A NativeEngine of this environment over the engine.
Napi::Value wrap_engine(Napi::Env env, std::shared_ptr<Engine> engine, const Napi::Function& on_wake);

}  // namespace headrace
