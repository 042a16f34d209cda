// JavaScript values to engine values and back. TypeScript has validated what it passes; these keep cheap guards.
#pragma once

#include <napi.h>

#include <span>

#include "engine.h"
#include "inflater.h"

namespace headrace {

ModelConfig to_model_config(const Napi::Object& object);

// What the model looks like and how it will be run: the mirror of ModelDescription in src/engine/surface.ts.
Napi::Object to_js_description(Napi::Env env, const Engine& engine);

Napi::Object to_js_stats(Napi::Env env, const Stats& stats);

// The mirror of NativeInflated in src/engine/surface.ts.
Napi::Object to_js_inflated(Napi::Env env, Inflated inflated);

Shape to_shape(const Napi::Value& value);
Napi::Array to_js_shape(Napi::Env env, const Shape& shape);

// The bytes behind an ArrayBuffer, from `offset`. Throws Error(InvalidArgument) outside of it.
std::span<const std::byte> to_bytes(const Napi::Value& buffer, size_t offset, size_t length);

}  // namespace headrace
