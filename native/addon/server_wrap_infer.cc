// Models whose infer requests I/O threads answer without JavaScript.
#include "infer_requests.h"
#include "js_error.h"
#include "server_wrap.h"

namespace headrace {
namespace {

std::string text(const Napi::Object& from, const char* name) { return from.Get(name).As<Napi::String>().Utf8Value(); }

int64_t integer(const Napi::Object& from, const char* name) { return from.Get(name).As<Napi::Number>().Int64Value(); }

template <typename Each>
void each(const Napi::Value& list, Each&& take) {
  const Napi::Array array = list.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) take(array.Get(i));
}

InferTensor to_tensor(const Napi::Object& from) {
  InferTensor tensor;
  tensor.name = text(from, "name");
  const std::optional<json::Datatype> datatype = json::datatype_named(text(from, "datatype"));
  if (!datatype || *datatype == json::Datatype::Bytes) bug("a tensor of infer requests has elements of no fixed size");
  tensor.datatype = *datatype;
  each(from.Get("shape"),
       [&](const Napi::Value& size) { tensor.shape.push_back(size.As<Napi::Number>().Int64Value()); });
  tensor.batch_axis = static_cast<int>(integer(from, "batchAxis"));
  tensor.index = static_cast<size_t>(integer(from, "index"));
  tensor.row_bytes = static_cast<size_t>(integer(from, "rowBytes"));
  return tensor;
}

std::shared_ptr<const InferSpec> to_spec(const Napi::Object& from) {
  auto spec = std::make_shared<InferSpec>();
  spec->model_name = text(from, "modelName");
  spec->model_version = text(from, "modelVersion");
  each(from.Get("inputs"),
       [&](const Napi::Value& tensor) { spec->inputs.push_back(to_tensor(tensor.As<Napi::Object>())); });
  each(from.Get("outputs"),
       [&](const Napi::Value& tensor) { spec->outputs.push_back(to_tensor(tensor.As<Napi::Object>())); });
  spec->max_body = static_cast<size_t>(integer(from, "maxBodyBytes"));
  spec->policy.priority_levels = static_cast<uint32_t>(integer(from, "priorityLevels"));
  spec->policy.default_priority = static_cast<uint32_t>(integer(from, "defaultPriority"));
  return spec;
}

}  // namespace

// serveInfer(handle, spec): once for a model; its requests are taken where inferPaths says so
void ServerWrap::serve_infer(const Napi::CallbackInfo& info) {
  const uint32_t handle = info[0].As<Napi::Number>().Uint32Value();
  const auto found = models_.find(handle);
  if (found == models_.end()) bug("infer requests were to be served for a model that is not there");
  guarded(info.Env(), [&]() -> Napi::Value {
    const std::shared_ptr<const InferSpec> spec = to_spec(info[1].As<Napi::Object>());
    auto& models = infer_models_[handle];
    infer_.resize(server_->threads());
    models.resize(server_->threads());
    for (size_t i = 0; i < models.size(); ++i) {
      IoThread& thread = server_->thread(i);
      thread.post_and_wait([&, i] {
        if (!infer_[i]) infer_[i] = std::make_shared<InferRequests>(thread);
        models[i] = std::make_shared<InferModel>(found->second[i], spec);
      });
    }
    return info.Env().Undefined();
  });
}

// inferPaths(handle, paths): from now on; requests that were taken are answered
void ServerWrap::infer_paths(const Napi::CallbackInfo& info) {
  const auto found = infer_models_.find(info[0].As<Napi::Number>().Uint32Value());
  if (found == infer_models_.end()) return;
  std::vector<std::string> paths;
  each(info[1], [&](const Napi::Value& path) { paths.push_back(path.As<Napi::String>().Utf8Value()); });
  for (size_t i = 0; i < found->second.size(); ++i) {
    server_->thread(i).post_and_wait([&, i] { infer_[i]->serve(found->second[i], paths); });
  }
}

// inferCounts(handle): requests taken, those without an answer, answers by Code; waits for the threads
Napi::Value ServerWrap::infer_counts(const Napi::CallbackInfo& info) {
  const auto found = infer_models_.find(info[0].As<Napi::Number>().Uint32Value());
  InferCounts sum;
  if (found != infer_models_.end()) {
    for (size_t i = 0; i < found->second.size(); ++i) {
      server_->thread(i).post_and_wait([&, i] { sum += found->second[i]->counts; });
    }
  }
  Napi::Float64Array counts = Napi::Float64Array::New(info.Env(), 2 + sum.answers.size());
  counts[0] = static_cast<double>(sum.requests);
  counts[1] = static_cast<double>(sum.under_way);
  for (size_t code = 0; code < sum.answers.size(); ++code) counts[2 + code] = static_cast<double>(sum.answers[code]);
  return counts;
}

// Before the model's clients go.
void ServerWrap::remove_infer(uint32_t handle) {
  const auto found = infer_models_.find(handle);
  if (found == infer_models_.end()) return;
  for (size_t i = 0; i < found->second.size(); ++i) {
    const auto remove = [&, i] {
      infer_[i]->remove(found->second[i]);
      found->second[i].reset();
    };
    server_->thread(i).post_and_wait(remove);
    // The thread has ended, and with it everybody who used it.
    if (found->second[i]) remove();
  }
  infer_models_.erase(found);
}

}  // namespace headrace
