#include "completions.h"

namespace headrace {

WakeUp::WakeUp(Napi::Env env, const Napi::Function& callback) {
  const Napi::String name = Napi::String::New(env, "headrace.completions");
  // A queue of one: a wake-up that is already on its way serves everybody.
  const napi_status status = napi_create_threadsafe_function(env, callback, nullptr, name, 1, 1, nullptr, nullptr,
                                                             nullptr, nullptr, &function_);
  if (status != napi_ok) throw Napi::Error::New(env, "the wake-up of the event loop could not be made");
  napi_unref_threadsafe_function(env, function_);
}

void WakeUp::wake() {
  MutexLock lock(mutex_);
  if (function_ == nullptr) return;
  // "Queue full" means that a wake-up is pending, "closing" that nobody is left to wake.
  if (napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) == napi_closing) function_ = nullptr;
}

void WakeUp::reference(Napi::Env env, bool on) {
  MutexLock lock(mutex_);
  if (function_ == nullptr) return;
  if (on) {
    napi_ref_threadsafe_function(env, function_);
  } else {
    napi_unref_threadsafe_function(env, function_);
  }
}

void WakeUp::close() {
  MutexLock lock(mutex_);
  if (function_ != nullptr) napi_release_threadsafe_function(function_, napi_tsfn_abort);
  function_ = nullptr;
}

Completions::Completions(Napi::Env env, const Napi::Function& on_wake)
    : wake_up_(std::make_shared<WakeUp>(env, on_wake)),
      queue_(std::make_shared<CompletionQueue>([wake_up = wake_up_] { wake_up->wake(); })) {
  Napi::Uint32Array array = Napi::Uint32Array::New(env, size_t{kRecords} * kFields);
  record_data_ = array.Data();
  records_ = Napi::Persistent(array);
  releasable_.reserve(kRecords);
}

uint32_t Completions::drain() {
  if (next_ == drained_.size()) {
    queue_->drain(drained_);
    next_ = 0;
  }
  handed_ = 0;
  uint32_t* field = record_data_;
  while (next_ < drained_.size() && handed_ < kRecords) {
    const Completion& completion = drained_[next_++];
    *field++ = completion.request;
    *field++ = static_cast<uint32_t>(completion.code);
    *field++ = completion.batch;
    *field++ = completion.row;
    ++handed_;
  }
  return handed_;
}

const std::vector<uint32_t>& Completions::releasable() {
  releasable_.clear();
  for (uint32_t i = 0; i < handed_; ++i) {
    if (record_data_[i * kFields + 1] != kKept) releasable_.push_back(record_data_[i * kFields]);
  }
  handed_ = 0;
  return releasable_;
}

Napi::Value Completions::records(Napi::Env) { return records_.Value(); }

void Completions::close() { wake_up_->close(); }

}  // namespace headrace
