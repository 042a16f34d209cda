#include "json_wrap.h"

#include <algorithm>
#include <memory>

#include "convert.h"
#include "js_error.h"
#include "tensor_writer.h"

namespace headrace {
namespace {

// The fields of the status array: the mirror of JsonStatus in src/engine/surface.ts.
constexpr size_t kBytes = 0;
constexpr size_t kTensors = 1;
constexpr size_t kHasProblem = 2;
constexpr size_t kHasMoved = 3;
constexpr size_t kStatusFields = 4;

uint32_t u32(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

std::string_view text_in(const Napi::CallbackInfo& info) {
  const auto bytes = to_bytes(info[0], u32(info, 1), u32(info, 2));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Where to write `most` characters: the ArrayBuffer and the offset that are arguments `first` and the next.
char* room_in(const Napi::CallbackInfo& info, size_t first, size_t most) {
  const auto bytes = to_bytes(info[first], u32(info, first + 1), most);
  return const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
}

Napi::Value string_of(Napi::Env env, const std::string& text) {
  const bool is_ascii = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
  if (!is_ascii) return Napi::String::New(env, text);
  napi_value value = nullptr;
  napi_create_string_latin1(env, text.data(), text.size(), &value);
  return {env, value};
}

}  // namespace

Napi::Function JsonWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeJson",
                     {
                         InstanceMethod<&JsonWrap::status>("status"),
                         InstanceMethod<&JsonWrap::read>("read"),
                         InstanceMethod<&JsonWrap::memory>("memory"),
                         InstanceMethod<&JsonWrap::problem>("problem"),
                         InstanceMethod<&JsonWrap::write>("write"),
                         InstanceMethod<&JsonWrap::write_strings>("writeStrings"),
                     });
}

Napi::Value JsonWrap::status(const Napi::CallbackInfo& info) {
  Napi::Float64Array array = Napi::Float64Array::New(info.Env(), kStatusFields);
  status_ = Napi::Persistent(array);
  status_data_ = array.Data();
  return array;
}

void JsonWrap::note_status(bool is_read) {
  if (status_data_ == nullptr) return;
  const json::Scratch& data = reader_.data();
  status_data_[kBytes] = is_read ? static_cast<double>(data.size()) : 0;
  status_data_[kTensors] = is_read ? static_cast<double>(reader_.tensors()) : 0;
  status_data_[kHasProblem] = reader_.problem() ? 1 : 0;
  status_data_[kHasMoved] = data.memory().get() != shown_ ? 1 : 0;
}

// read(buffer, offset, length): the header, or undefined where it is no JSON
Napi::Value JsonWrap::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const bool is_read = reader_.read(text_in(info));
    note_status(is_read);
    return is_read ? string_of(info.Env(), reader_.header()) : info.Env().Undefined();
  });
}

// memory(): an ArrayBuffer over the memory that the tensors are in, until it moves
Napi::Value JsonWrap::memory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    using Memory = std::shared_ptr<std::byte[]>;
    const json::Scratch& data = reader_.data();
    shown_ = data.memory().get();
    if (shown_ == nullptr) return Napi::ArrayBuffer::New(info.Env(), 0);
    auto held = std::make_unique<Memory>(data.memory());
    const auto free = [](Napi::Env, void*, Memory* memory) { std::unique_ptr<Memory> owned(memory); };
    return Napi::ArrayBuffer::New(info.Env(), data.memory().get(), data.capacity(), free, held.release());
  });
}

// problem(): [path, message]; both empty where there is none
Napi::Value JsonWrap::problem(const Napi::CallbackInfo& info) {
  const json::Problem problem = reader_.problem().value_or(json::Problem{});
  Napi::Array pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0U, problem.path);
  pair.Set(1U, problem.message);
  return pair;
}

// write(datatype, buffer, offset, count, out, outOffset): the offset behind the text
Napi::Value JsonWrap::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const uint32_t number = u32(info, 0);
    if (number >= static_cast<uint32_t>(json::Datatype::Bytes)) {
      throw Error(Code::InvalidArgument, "not the number of a datatype whose elements have a size");
    }
    const auto datatype = static_cast<json::Datatype>(number);
    const size_t count = u32(info, 3);
    const auto bytes = to_bytes(info[1], u32(info, 2), count * json::info_of(datatype).bytes);
    char* const out = room_in(info, 4, json::most_text(datatype, count));
    const char* const end = json::write_tensor(datatype, bytes.data(), count, out);
    return Napi::Number::New(info.Env(), static_cast<double>(u32(info, 5)) + static_cast<double>(end - out));
  });
}

// writeStrings(Uint8Array[], out, outOffset): the offset behind the text, or -1 where a string is no UTF-8
Napi::Value JsonWrap::write_strings(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Array strings = info[0].As<Napi::Array>();
    std::vector<std::string_view> texts;
    size_t most = 2;
    for (uint32_t i = 0; i < strings.Length(); ++i) {
      Napi::HandleScope scope(info.Env());
      const Napi::Uint8Array bytes = strings.Get(i).As<Napi::Uint8Array>();
      texts.emplace_back(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
      most += 1 + json::most_text(texts.back());
    }
    char* const begin = room_in(info, 1, most);
    char* out = begin;
    *out++ = '[';
    for (size_t i = 0; i < texts.size(); ++i) {
      if (i > 0) *out++ = ',';
      out = json::write_string(texts[i], out);
      if (out == nullptr) return Napi::Number::New(info.Env(), -1);
    }
    *out++ = ']';
    return Napi::Number::New(info.Env(), static_cast<double>(u32(info, 2)) + static_cast<double>(out - begin));
  });
}

}  // namespace headrace
