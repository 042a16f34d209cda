// What takes too long for the JavaScript thread: loading a model, waiting for its lanes, draining it, and inflating
// what is large.
#pragma once

#include <napi.h>

#include <memory>

#include "engine.h"
#include "inflater.h"

namespace headrace {

// `done` is called on the thread that asked, as NativeDone in src/engine/surface.ts says: with an error, or with what
// there is.

// A NativeEngine. `on_wake` is called on this thread when completions are waiting.
void load_async(ModelConfig config, const Napi::Function& on_wake, const Napi::Function& done);

// Done when the engine has drained (or cancelled what was queued) and its lanes have ended.
void close_async(std::shared_ptr<Engine> engine, bool drain, const Napi::Function& done);

// Done when the engine has this many lanes.
void set_lanes_async(std::shared_ptr<Engine> engine, uint32_t lanes, const Napi::Function& done);

// A NativeInflated. The bytes must not change until then.
void inflate_async(const Napi::ArrayBuffer& buffer, std::span<const std::byte> packed, Packing packing, size_t limit,
                   const Napi::Function& done);

}  // namespace headrace
