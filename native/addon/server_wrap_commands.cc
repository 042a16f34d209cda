// What JavaScript says to connections: each command goes into the batch of the thread that owns its connection.
#include "js_error.h"
#include "server_wrap.h"

namespace headrace {
namespace {

uint64_t id_of(const Napi::CallbackInfo& info) {
  return static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
}

uint32_t u32(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

void check(napi_status status) {
  if (status != napi_ok) bug("a command to a connection was not of the types that it takes");
}

// Heads are Latin-1: what is not ASCII in them is opaque bytes (RFC 9110 5.5).
size_t append_latin1(Napi::Env env, napi_value text, std::vector<std::byte>& to) {
  size_t size = 0;
  check(napi_get_value_string_latin1(env, text, nullptr, 0, &size));
  const size_t at = to.size();
  to.resize(at + size + 1);  // it writes a zero at the end
  check(napi_get_value_string_latin1(env, text, reinterpret_cast<char*>(to.data() + at), size + 1, &size));
  to.resize(at + size);
  return size;
}

size_t append_utf8(Napi::Env env, napi_value text, std::vector<std::byte>& to) {
  size_t size = 0;
  check(napi_get_value_string_utf8(env, text, nullptr, 0, &size));
  const size_t at = to.size();
  to.resize(at + size + 1);
  check(napi_get_value_string_utf8(env, text, reinterpret_cast<char*>(to.data() + at), size + 1, &size));
  to.resize(at + size);
  return size;
}

// A string as UTF-8, or the bytes of a Uint8Array; undefined is nothing.
size_t append_data(Napi::Env env, const Napi::Value& data, std::vector<std::byte>& to) {
  if (data.IsUndefined()) return 0;
  if (data.IsString()) return append_utf8(env, data, to);
  void* bytes = nullptr;
  size_t size = 0;
  check(napi_get_typedarray_info(env, data, nullptr, &size, &bytes, nullptr, nullptr));
  const auto* from = static_cast<const std::byte*>(bytes);
  to.insert(to.end(), from, from + size);
  return size;
}

}  // namespace

Command& ServerWrap::say(const Napi::CallbackInfo& info, CommandKind kind) {
  const uint64_t id = id_of(info);
  CommandBatch& batch = batch_of(id);
  return batch.commands.emplace_back(Command{.kind = kind, .connection = id, .offset = batch.bytes.size()});
}

// respond(id, head, body | undefined, flags)
void ServerWrap::respond(const Napi::CallbackInfo& info) {
  Command& command = say(info, CommandKind::Respond);
  auto& bytes = batch_of(command.connection).bytes;
  command.head_bytes = append_latin1(info.Env(), info[1], bytes);
  command.body_bytes = append_data(info.Env(), info[2], bytes);
  command.flags = u32(info, 3);
}

void ServerWrap::abort(const Napi::CallbackInfo& info) { say(info, CommandKind::Abort); }

// accept(id, head, maxMessageBytes, idleTimeoutSeconds, maxUnsentBytes)
void ServerWrap::accept(const Napi::CallbackInfo& info) {
  constexpr int64_t kSecond = 1'000'000'000;
  Command& command = say(info, CommandKind::Accept);
  command.head_bytes = append_latin1(info.Env(), info[1], batch_of(command.connection).bytes);
  command.numbers = {static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value()),
                     static_cast<uint64_t>(duration(info[3].As<Napi::Number>().Int64Value(), kSecond)),
                     static_cast<uint64_t>(info[4].As<Napi::Number>().Int64Value())};
}

// send(id, data, isBinary)
void ServerWrap::send(const Napi::CallbackInfo& info) {
  Command& command = say(info, CommandKind::Send);
  command.body_bytes = append_data(info.Env(), info[1], batch_of(command.connection).bytes);
  const Opcode opcode = info[2].As<Napi::Boolean>().Value() ? Opcode::binary : Opcode::text;
  command.flags = static_cast<uint32_t>(opcode);
}

// end(id, code, reason)
void ServerWrap::end(const Napi::CallbackInfo& info) {
  Command& command = say(info, CommandKind::End);
  command.flags = u32(info, 1);
  command.head_bytes = append_utf8(info.Env(), info[2], batch_of(command.connection).bytes);
}

// unsent(id): bytes that the system has not taken; waits for the connection's thread
Napi::Value ServerWrap::unsent(const Napi::CallbackInfo& info) {
  const uint64_t id = id_of(info);
  IoThread& thread = server_->owner_of(id);
  size_t bytes = 0;
  thread.post_and_wait([&] {
    const Connection* connection = thread.find(id);
    if (connection != nullptr) bytes = connection->unsent();
  });
  return Napi::Number::New(info.Env(), static_cast<double>(bytes));
}

void ServerWrap::flush(const Napi::CallbackInfo&) { flush_all(); }

void ServerWrap::flush_all() {
  for (size_t index = 0; index < batches_.size(); ++index) {
    if (!batches_[index].empty()) server_->thread(index).submit(batches_[index]);
  }
}

}  // namespace headrace
