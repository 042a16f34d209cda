#include "async_workers.h"

#include <optional>

#include "convert.h"
#include "env_data.h"
#include "js_error.h"

namespace headrace {
namespace {

struct Failure {
  Code code;
  std::string message;
};

// Runs `work` off the JavaScript thread and settles a promise. The worker frees itself, as Napi::AsyncWorker does.
class Task : public Napi::AsyncWorker {
 public:
  explicit Task(Napi::Env env, const char* name) : Napi::AsyncWorker(env, name), deferred_(env) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  virtual void work() = 0;
  virtual Napi::Value result() { return Env().Undefined(); }

 private:
  void Execute() override {
    try {
      work();
    } catch (const Error& error) {
      failure_ = Failure{error.code(), error.what()};
    } catch (const std::exception& error) {
      failure_ = Failure{Code::Internal, error.what()};
    }
  }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (failure_) {
      deferred_.Reject(make_js_error(Env(), failure_->code, failure_->message).Value());
    } else {
      deferred_.Resolve(result());
    }
  }

  Napi::Promise::Deferred deferred_;
  std::optional<Failure> failure_;
};

class LoadTask final : public Task {
 public:
  LoadTask(Napi::Env env, ModelConfig config, const Napi::Function& on_wake)
      : Task(env, "headrace.load"), config_(std::move(config)), on_wake_(Napi::Persistent(on_wake)) {}

 private:
  void work() override { engine_ = std::make_shared<Engine>(config_); }
  Napi::Value result() override { return wrap_engine(Env(), std::move(engine_), on_wake_.Value()); }

  const ModelConfig config_;
  Napi::FunctionReference on_wake_;
  std::shared_ptr<Engine> engine_;
};

class CloseTask final : public Task {
 public:
  CloseTask(Napi::Env env, std::shared_ptr<Engine> engine, bool drain)
      : Task(env, "headrace.close"), engine_(std::move(engine)), drain_(drain) {}

 private:
  void work() override { engine_->scheduler().close(drain_); }

  const std::shared_ptr<Engine> engine_;
  const bool drain_;
};

class LanesTask final : public Task {
 public:
  LanesTask(Napi::Env env, std::shared_ptr<Engine> engine, uint32_t lanes)
      : Task(env, "headrace.lanes"), engine_(std::move(engine)), lanes_(lanes) {}

 private:
  void work() override { engine_->scheduler().set_lanes(lanes_); }

  const std::shared_ptr<Engine> engine_;
  const uint32_t lanes_;
};

class InflateTask final : public Task {
 public:
  InflateTask(Napi::Env env, const Napi::ArrayBuffer& buffer, std::span<const std::byte> packed, Packing packing,
              size_t limit)
      : Task(env, "headrace.inflate"),
        buffer_(Napi::Persistent(buffer)),
        packed_(packed),
        packing_(packing),
        limit_(limit) {}

 private:
  void work() override { inflated_ = inflate_whole(packed_, packing_, limit_); }
  Napi::Value result() override { return to_js_inflated(Env(), std::move(inflated_)); }

  const Napi::Reference<Napi::ArrayBuffer> buffer_;  // keeps `packed_` alive
  const std::span<const std::byte> packed_;
  const Packing packing_;
  const size_t limit_;
  Inflated inflated_{};
};

// Napi::AsyncWorker owns itself from Queue() on.
template <typename Worker>
Napi::Value start(std::unique_ptr<Worker> worker) {
  Napi::Promise promise = worker->promise();
  worker.release()->Queue();
  return promise;
}

}  // namespace

Napi::Value load_async(Napi::Env env, ModelConfig config, const Napi::Function& on_wake) {
  return start(std::make_unique<LoadTask>(env, std::move(config), on_wake));
}

Napi::Value close_async(Napi::Env env, std::shared_ptr<Engine> engine, bool drain) {
  return start(std::make_unique<CloseTask>(env, std::move(engine), drain));
}

Napi::Value set_lanes_async(Napi::Env env, std::shared_ptr<Engine> engine, uint32_t lanes) {
  return start(std::make_unique<LanesTask>(env, std::move(engine), lanes));
}

Napi::Value inflate_async(Napi::Env env, const Napi::ArrayBuffer& buffer, std::span<const std::byte> packed,
                          Packing packing, size_t limit) {
  return start(std::make_unique<InflateTask>(env, buffer, packed, packing, limit));
}

}  // namespace headrace
