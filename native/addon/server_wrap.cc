#include "server_wrap.h"

#include "js_error.h"

namespace headrace {
namespace {

// Blocks that are not used again would otherwise stay for ever.
constexpr size_t kMaxBuffers = 64;
// For clients to read the last answers of a server that closes.
constexpr Nanos kCloseLinger = 1'000'000'000;
constexpr unsigned kMaxThreads = 64;

int64_t integer(const Napi::Object& options, const char* name) {
  return options.Get(name).As<Napi::Number>().Int64Value();
}

ServerOptions to_options(const Napi::Object& from) {
  constexpr Nanos kMilli = 1'000'000;
  ServerOptions options;
  options.threads = static_cast<unsigned>(std::clamp<int64_t>(integer(from, "threads"), 1, kMaxThreads));
  options.realtime = from.Get("realtime").ToBoolean();
  options.max_connections = static_cast<size_t>(integer(from, "maxConnections"));
  options.max_incoming = static_cast<size_t>(integer(from, "maxIncomingBytes"));
  options.max_unread = static_cast<size_t>(integer(from, "maxUnreadBytes"));
  options.head_timeout = duration(integer(from, "headTimeoutMillis"), kMilli);
  options.keep_alive_timeout = duration(integer(from, "keepAliveTimeoutMillis"), kMilli);
  return options;
}

// Ends the I/O threads while the event loop goes on.
class CloseWorker final : public Napi::AsyncWorker {
 public:
  CloseWorker(Napi::Env env, std::shared_ptr<Server> server)
      : Napi::AsyncWorker(env, "headrace.server"), server_(std::move(server)), done_(env) {}

  Napi::Promise promise() const { return done_.Promise(); }

 protected:
  void Execute() override { server_->stop(kCloseLinger); }
  void OnOK() override { done_.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override { done_.Reject(error.Value()); }

 private:
  const std::shared_ptr<Server> server_;
  const Napi::Promise::Deferred done_;
};

}  // namespace

Napi::Function ServerWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeServer",
                     {
                         InstanceMethod<&ServerWrap::listen>("listen"),
                         InstanceMethod<&ServerWrap::stop_listening>("stopListening"),
                         InstanceMethod<&ServerWrap::close>("close"),
                         InstanceMethod<&ServerWrap::let_go>("letGo"),
                         InstanceMethod<&ServerWrap::reference>("reference"),
                         InstanceMethod<&ServerWrap::connections>("connections"),
                         InstanceMethod<&ServerWrap::refused_connections>("refusedConnections"),
                         InstanceMethod<&ServerWrap::incoming_bytes>("incomingBytes"),
                         InstanceMethod<&ServerWrap::refused_incoming>("refusedIncoming"),
                         InstanceMethod<&ServerWrap::unread_bytes>("unreadBytes"),
                         InstanceMethod<&ServerWrap::closed_unread>("closedUnread"),
                         InstanceMethod<&ServerWrap::drain>("drain"),
                         InstanceMethod<&ServerWrap::records>("records"),
                         InstanceMethod<&ServerWrap::block>("block"),
                         InstanceMethod<&ServerWrap::respond>("respond"),
                         InstanceMethod<&ServerWrap::abort>("abort"),
                         InstanceMethod<&ServerWrap::accept>("accept"),
                         InstanceMethod<&ServerWrap::send>("send"),
                         InstanceMethod<&ServerWrap::end>("end"),
                         InstanceMethod<&ServerWrap::flush>("flush"),
                         InstanceMethod<&ServerWrap::add_model>("addModel"),
                         InstanceMethod<&ServerWrap::remove_model>("removeModel"),
                         InstanceMethod<&ServerWrap::accept_raw>("acceptRaw"),
                         InstanceMethod<&ServerWrap::open_stream>("openStream"),
                         InstanceMethod<&ServerWrap::close_stream>("closeStream"),
                         InstanceMethod<&ServerWrap::reply>("reply"),
                         InstanceMethod<&ServerWrap::go_away>("goAway"),
                         InstanceMethod<&ServerWrap::tap>("tap"),
                         InstanceMethod<&ServerWrap::serve_infer>("serveInfer"),
                         InstanceMethod<&ServerWrap::infer_paths>("inferPaths"),
                         InstanceMethod<&ServerWrap::infer_counts>("inferCounts"),
                         InstanceMethod<&ServerWrap::divert_model>("divertModel"),
                         InstanceMethod<&ServerWrap::steps_under_way>("stepsUnderWay"),
                         InstanceMethod<&ServerWrap::unsent>("unsent"),
                     });
}

// new NativeServer(options, onWake)
ServerWrap::ServerWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ServerWrap>(info) {
  const Napi::Env env = info.Env();
  guarded(env, [&] {
    const ServerOptions options = to_options(info[0].As<Napi::Object>());
    wake_up_ = std::make_shared<WakeUp>(env, info[1].As<Napi::Function>());
    try {
      server_ = std::make_shared<Server>(options, [wake_up = wake_up_] { wake_up->wake(); });
    } catch (...) {
      wake_up_->close();  // no destructor of ours will
      throw;
    }
    batches_.resize(options.threads);
    Napi::Float64Array array = Napi::Float64Array::New(env, EventBlock::kMaxEvents * kFields);
    record_data_ = array.Data();
    records_ = Napi::Persistent(array);
    // After the wake-up was made: hooks run last in, first out, and ours must find it alive.
    napi_add_env_cleanup_hook(env, on_environment_end, this);
    hooked_ = true;
    return env.Undefined();
  });
}

ServerWrap::~ServerWrap() {
  if (hooked_) napi_remove_env_cleanup_hook(Env(), on_environment_end, this);
  end_now();
}

void ServerWrap::on_environment_end(void* self) {
  auto* wrap = static_cast<ServerWrap*>(self);
  wrap->hooked_ = false;
  wrap->end_now();
}

void ServerWrap::end_now() {
  if (server_) {
    server_->stop_listening();
    server_->stop(0);
  }
  // Their threads have ended, so nobody uses them any more.
  batches_.clear();
  infer_.clear();
  infer_models_.clear();
  models_.clear();
  if (wake_up_) wake_up_->close();
}

// listen(host, port, proxied): the port
Napi::Value ServerWrap::listen(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::string host = info[0].As<Napi::String>().Utf8Value();
    const auto port = static_cast<uint16_t>(info[1].As<Napi::Number>().Uint32Value());
    return Napi::Number::New(info.Env(), server_->listen(host, port, info[2].As<Napi::Boolean>().Value()));
  });
}

Napi::Value ServerWrap::stop_listening(const Napi::CallbackInfo& info) {
  server_->stop_listening();
  return info.Env().Undefined();
}

// close(): a promise; afterwards there are no connections, and drain() gives their last events
Napi::Value ServerWrap::close(const Napi::CallbackInfo& info) {
  flush_all();
  server_->stop_listening();
  // Now, and not when a worker has time: whoever was told of the end must not find it still serving.
  server_->begin_stop(kCloseLinger);
  auto worker = std::make_unique<CloseWorker>(info.Env(), server_);
  const Napi::Promise promise = worker->promise();
  worker.release()->Queue();  // it frees itself when it has run
  return promise;
}

// letGo(): after close and the last drain; the wake-up, which keeps JavaScript's side alive, and the blocks go now
void ServerWrap::let_go(const Napi::CallbackInfo&) {
  wake_up_->close();
  block_ = nullptr;
  buffers_.clear();
}

// reference(on): whether the event loop stays alive for its events
Napi::Value ServerWrap::reference(const Napi::CallbackInfo& info) {
  wake_up_->reference(info.Env(), info[0].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

Napi::Value ServerWrap::connections(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(server_->shared().connections.load()));
}

Napi::Value ServerWrap::refused_connections(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(server_->shared().refused.load()));
}

Napi::Value ServerWrap::incoming_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(server_->shared().incoming.load()));
}

Napi::Value ServerWrap::refused_incoming(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(server_->shared().refused_incoming.load()));
}

Napi::Value ServerWrap::unread_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(server_->shared().unread.load()));
}

Napi::Value ServerWrap::closed_unread(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(server_->shared().closed_unread.load()));
}

// drain(thread): how many events the next block has
Napi::Value ServerWrap::drain(const Napi::CallbackInfo& info) {
  block_ = server_->thread(info[0].As<Napi::Number>().Uint32Value()).drain();
  if (block_ == nullptr) return Napi::Number::New(info.Env(), 0);
  double* field = record_data_;
  for (const Event& event : block_->events()) {
    *field++ = static_cast<double>(event.kind);
    *field++ = static_cast<double>(event.connection);
    *field++ = event.offset;
    *field++ = event.head_bytes;
    *field++ = event.body_bytes;
    *field++ = event.flags;
    *field++ = event.extra[0];
    *field++ = event.extra[1];
  }
  return Napi::Number::New(info.Env(), static_cast<double>(block_->events().size()));
}

Napi::Value ServerWrap::records(const Napi::CallbackInfo&) { return records_.Value(); }

// block(): an ArrayBuffer over the bytes of the block that drain() gave last
Napi::Value ServerWrap::block(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (block_ == nullptr) bug("the bytes of a block were asked for where there is none");
    const auto& memory = block_->memory();
    const auto known = buffers_.find(memory.get());
    if (known != buffers_.end()) return known->second.Value();
    auto held = std::make_unique<std::shared_ptr<std::byte[]>>(memory);
    const auto free = [](Napi::Env, void*, std::shared_ptr<std::byte[]>* owner) {
      std::unique_ptr<std::shared_ptr<std::byte[]>> owned(owner);
    };
    Napi::ArrayBuffer buffer =
        Napi::ArrayBuffer::New(info.Env(), memory.get(), block_->capacity(), free, held.release());
    if (!block_->is_standard()) return buffer;
    if (buffers_.size() >= kMaxBuffers) buffers_.clear();
    buffers_.emplace(memory.get(), Napi::Persistent(buffer));
    return buffer;
  });
}

}  // namespace headrace
