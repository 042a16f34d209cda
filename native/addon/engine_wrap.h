// The JavaScript face of one engine: the mirror of NativeEngine in src/engine/surface.ts.
//
// Every wrap is a submitter of its own; wraps of several environments may share one engine. A wrap lets go of the
// engine when it is closed, collected, or when its environment ends, whichever is first.
#pragma once

#include <napi.h>

#include <memory>

#include "completions.h"
#include "engine.h"

namespace headrace {

class EngineWrap : public Napi::ObjectWrap<EngineWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  // new NativeEngine(external engine, onWake): only from C++.
  explicit EngineWrap(const Napi::CallbackInfo& info);
  ~EngineWrap() override;

 private:
  Napi::Value describe(const Napi::CallbackInfo& info);
  Napi::Value records(const Napi::CallbackInfo& info);
  Napi::Value submit(const Napi::CallbackInfo& info);
  Napi::Value begin(const Napi::CallbackInfo& info);
  Napi::Value append(const Napi::CallbackInfo& info);
  Napi::Value set_strings(const Napi::CallbackInfo& info);
  Napi::Value publish(const Napi::CallbackInfo& info);
  Napi::Value abandon(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value kick(const Napi::CallbackInfo& info);
  Napi::Value run_inline(const Napi::CallbackInfo& info);
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value release_drained(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);
  Napi::Value output_buffer(const Napi::CallbackInfo& info);
  Napi::Value read_output(const Napi::CallbackInfo& info);
  Napi::Value error_of(const Napi::CallbackInfo& info);
  Napi::Value pin(const Napi::CallbackInfo& info);
  Napi::Value unpin(const Napi::CallbackInfo& info);
  Napi::Value drop_state(const Napi::CallbackInfo& info);
  Napi::Value sweep(const Napi::CallbackInfo& info);
  Napi::Value export_state(const Napi::CallbackInfo& info);
  Napi::Value import_state(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value stalled(const Napi::CallbackInfo& info);
  Napi::Value times_of(const Napi::CallbackInfo& info);
  Napi::Value reference(const Napi::CallbackInfo& info);
  Napi::Value share(const Napi::CallbackInfo& info);
  Napi::Value set_lanes(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value let_go_now(const Napi::CallbackInfo& info);

  Scheduler& scheduler(const Napi::CallbackInfo& info);
  void let_go();
  static void on_environment_end(void* self);

  std::shared_ptr<Engine> engine_;
  std::unique_ptr<Completions> completions_;
  bool hooked_ = false;
};

}  // namespace headrace
