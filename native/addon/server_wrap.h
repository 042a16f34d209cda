// The JavaScript face of native/transport and native/serving: the mirror of NativeServer in
// src/engine/server-surface.ts.
//
// Used by the thread that made it. Events come in blocks, which `drain` lends until it is called again; commands go out
// in batches, one for each I/O thread and `flush`.
#pragma once

#include <napi.h>

#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "completions.h"
#include "infer_requests.h"
#include "raw_streams.h"
#include "server.h"

namespace headrace {

class ServerWrap : public Napi::ObjectWrap<ServerWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit ServerWrap(const Napi::CallbackInfo& info);
  ~ServerWrap() override;

 private:
  static constexpr size_t kFields = 8;

  static void on_environment_end(void* self);
  void end_now();

  // Sockets
  Napi::Value listen(const Napi::CallbackInfo& info);
  Napi::Value stop_listening(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  void let_go(const Napi::CallbackInfo& info);
  Napi::Value reference(const Napi::CallbackInfo& info);
  Napi::Value connections(const Napi::CallbackInfo& info);
  Napi::Value refused_connections(const Napi::CallbackInfo& info);
  Napi::Value incoming_bytes(const Napi::CallbackInfo& info);
  Napi::Value refused_incoming(const Napi::CallbackInfo& info);
  Napi::Value unread_bytes(const Napi::CallbackInfo& info);
  Napi::Value closed_unread(const Napi::CallbackInfo& info);

  // Events
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value records(const Napi::CallbackInfo& info);
  Napi::Value block(const Napi::CallbackInfo& info);

  // Commands (server_wrap_commands.cc)
  void respond(const Napi::CallbackInfo& info);
  void abort(const Napi::CallbackInfo& info);
  void accept(const Napi::CallbackInfo& info);
  void send(const Napi::CallbackInfo& info);
  void end(const Napi::CallbackInfo& info);
  Napi::Value unsent(const Napi::CallbackInfo& info);
  void flush(const Napi::CallbackInfo& info);

  // Models (server_wrap_models.cc)
  Napi::Value add_model(const Napi::CallbackInfo& info);
  void remove_model(const Napi::CallbackInfo& info);
  void accept_raw(const Napi::CallbackInfo& info);
  void open_stream(const Napi::CallbackInfo& info);
  void close_stream(const Napi::CallbackInfo& info);
  void reply(const Napi::CallbackInfo& info);
  void go_away(const Napi::CallbackInfo& info);
  void tap(const Napi::CallbackInfo& info);
  void divert_model(const Napi::CallbackInfo& info);
  Napi::Value steps_under_way(const Napi::CallbackInfo& info);
  void with_streams(uint64_t connection, std::function<void(Connection&, RawStreams&)> task);
  void task(uint64_t connection, std::function<void()> run);

  // Infer requests (server_wrap_infer.cc)
  void serve_infer(const Napi::CallbackInfo& info);
  void infer_paths(const Napi::CallbackInfo& info);
  Napi::Value infer_counts(const Napi::CallbackInfo& info);
  void remove_infer(uint32_t handle);

  CommandBatch& batch_of(uint64_t connection) { return batches_[connection % batches_.size()]; }
  Command& say(const Napi::CallbackInfo& info, CommandKind kind);
  void flush_all();

  std::shared_ptr<WakeUp> wake_up_;
  std::shared_ptr<Server> server_;
  std::vector<CommandBatch> batches_;  // by I/O thread
  Napi::Reference<Napi::Float64Array> records_;
  double* record_data_ = nullptr;
  const EventBlock* block_ = nullptr;  // what drain gave last
  // The ArrayBuffers of blocks that come again and again, by their memory, which they keep alive.
  std::unordered_map<const void*, Napi::Reference<Napi::ArrayBuffer>> buffers_;
  // By handle, then by I/O thread; each is used by its thread only.
  std::map<uint32_t, std::vector<std::shared_ptr<ModelClient>>> models_;
  std::map<uint32_t, std::vector<std::shared_ptr<InferModel>>> infer_models_;
  std::vector<std::shared_ptr<InferRequests>> infer_;  // by I/O thread
  uint32_t next_model_ = 1;
  bool hooked_ = false;
};

}  // namespace headrace
