// Models that I/O threads serve without JavaScript. Each thread has its own client of each model; the engine is the
// same.
#include "js_error.h"
#include "server_wrap.h"
#include "sharing.h"

namespace headrace {
namespace {

uint64_t id_of(const Napi::CallbackInfo& info) {
  return static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
}

uint32_t u32(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

int64_t i64(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Int64Value(); }

std::string text(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::String>().Utf8Value(); }

// A text, or the bytes of a Uint8Array.
std::string data_of(const Napi::Value& value) {
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  const Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
  return std::string(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
}

std::span<const std::byte> bytes_of(const std::string& data) { return std::as_bytes(std::span(data)); }

}  // namespace

// In the order of the other commands to the connection's thread.
void ServerWrap::task(uint64_t connection, std::function<void()> run) {
  CommandBatch& batch = batch_of(connection);
  batch.commands.push_back({.kind = CommandKind::Task, .offset = batch.tasks.size()});
  batch.tasks.push_back(std::move(run));
}

// Nothing happens where the connection is gone: JavaScript is told so.
void ServerWrap::with_streams(uint64_t connection, std::function<void(Connection&, RawStreams&)> run) {
  IoThread& thread = server_->owner_of(connection);
  task(connection, [&thread, connection, run = std::move(run)] {
    Connection* found = thread.find(connection);
    if (found == nullptr || !found->is_open()) return;
    if (auto* streams = dynamic_cast<RawStreams*>(found->frame_handler())) run(*found, *streams);
  });
}

// addModel(engineToken): a handle
Napi::Value ServerWrap::add_model(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    std::shared_ptr<Engine> engine = shared_engine(u32(info, 0));
    if (!engine) throw Error(Code::Unavailable, "the engine has been closed");
    const uint32_t handle = next_model_++;
    std::vector<std::shared_ptr<ModelClient>> clients(server_->threads());
    for (size_t i = 0; i < clients.size(); ++i) {
      IoThread& thread = server_->thread(i);
      thread.post_and_wait([&] { clients[i] = std::make_shared<ModelClient>(thread, engine, handle); });
    }
    models_.emplace(handle, std::move(clients));
    return Napi::Number::New(info.Env(), handle);
  });
}

// removeModel(handle): its connections must have ended
void ServerWrap::remove_model(const Napi::CallbackInfo& info) {
  const auto found = models_.find(u32(info, 0));
  if (found == models_.end()) return;
  flush_all();
  remove_infer(found->first);
  for (size_t i = 0; i < found->second.size(); ++i) {
    server_->thread(i).post_and_wait([&client = found->second[i]] { client.reset(); });
  }
  models_.erase(found);
}

// acceptRaw(id, head, handle, base, streams, ownsState, maxMessageBytes, idleTimeoutSeconds, maxUnsentBytes,
// maxInFlight)
void ServerWrap::accept_raw(const Napi::CallbackInfo& info) {
  constexpr int64_t kSecond = 1'000'000'000;
  const uint64_t id = id_of(info);
  IoThread& thread = server_->owner_of(id);
  const auto found = models_.find(u32(info, 2));
  if (found == models_.end()) bug("a raw stream was accepted for a model that is not there");
  const RawOptions options{.base = text(info, 3),
                           .streams = u32(info, 4),
                           .owns_state = info[5].As<Napi::Boolean>().Value(),
                           .max_in_flight = u32(info, 9)};
  const WebSocketLimits limits{.max_message = static_cast<size_t>(i64(info, 6)),
                               .idle_timeout = duration(i64(info, 7), kSecond),
                               .max_unsent = static_cast<size_t>(i64(info, 8))};
  task(id, [&thread, id, options, limits, head = info[1].As<Napi::String>().Utf8Value(),
            client = found->second[thread.index()]] {
    Connection* connection = thread.find(id);
    if (connection == nullptr || !connection->is_open()) return;
    connection->accept(head, limits, std::make_unique<RawStreams>(client, options));
  });
}

// openStream(id, number, stateId, ownsState)
void ServerWrap::open_stream(const Napi::CallbackInfo& info) {
  with_streams(id_of(info),
               [number = u32(info, 1), state_id = text(info, 2), owns_state = info[3].As<Napi::Boolean>().Value()](
                   Connection&, RawStreams& streams) { streams.open(number, state_id, owns_state); });
}

// closeStream(id, number, dropsState)
void ServerWrap::close_stream(const Napi::CallbackInfo& info) {
  with_streams(id_of(info), [number = u32(info, 1), drops_state = info[2].As<Napi::Boolean>().Value()](
                                Connection&, RawStreams& streams) { streams.close(number, drops_state); });
}

// reply(id, data: string | Uint8Array): the answer to the frame that JavaScript was told of
void ServerWrap::reply(const Napi::CallbackInfo& info) {
  const Opcode opcode = info[1].IsString() ? Opcode::text : Opcode::binary;
  with_streams(id_of(info), [opcode, data = data_of(info[1])](Connection& connection, RawStreams& streams) {
    streams.reply(connection, opcode, bytes_of(data));
  });
}

// goAway(id): ends it when all frames are answered
void ServerWrap::go_away(const Napi::CallbackInfo& info) {
  with_streams(id_of(info), [](Connection& connection, RawStreams& streams) { streams.go_away(connection); });
}

// tap(handle, stateKey, on)
void ServerWrap::tap(const Napi::CallbackInfo& info) {
  const auto found = models_.find(u32(info, 0));
  if (found == models_.end()) return;
  for (size_t i = 0; i < found->second.size(); ++i) {
    task(i, [client = found->second[i], key = u32(info, 1), on = info[2].As<Napi::Boolean>().Value()] {
      client->tap(key, on);
    });
  }
}

// divertModel(handle)
void ServerWrap::divert_model(const Napi::CallbackInfo& info) {
  const auto found = models_.find(u32(info, 0));
  if (found == models_.end()) return;
  for (size_t i = 0; i < found->second.size(); ++i) {
    task(i, [client = found->second[i]] { client->divert(); });
  }
  flush_all();
}

// stepsUnderWay(handle): waits for the threads
Napi::Value ServerWrap::steps_under_way(const Napi::CallbackInfo& info) {
  size_t sum = 0;
  const auto found = models_.find(u32(info, 0));
  if (found == models_.end()) return Napi::Number::New(info.Env(), 0);
  flush_all();
  for (size_t i = 0; i < found->second.size(); ++i) {
    server_->thread(i).post_and_wait([&, i] { sum += found->second[i]->under_way(); });
  }
  return Napi::Number::New(info.Env(), static_cast<double>(sum));
}

}  // namespace headrace
