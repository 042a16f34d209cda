// The JavaScript face of native/json: the mirror of NativeJson in src/engine/surface.ts.
//
// Each wrap has one reader, and so the tensors of one request at a time. It is used by the thread that made it.
#pragma once

#include <napi.h>

#include "infer_reader.h"

namespace headrace {

class JsonWrap : public Napi::ObjectWrap<JsonWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit JsonWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<JsonWrap>(info) {}

 private:
  Napi::Value status(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value problem(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value write_strings(const Napi::CallbackInfo& info);

  void note_status(bool is_read);

  json::InferReader reader_;
  Napi::Reference<Napi::Float64Array> status_;
  double* status_data_ = nullptr;
  const std::byte* shown_ = nullptr;  // the memory that JavaScript was given last
};

}  // namespace headrace
