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

// Runs `work` off the JavaScript thread and calls `done`. The worker frees itself, as Napi::AsyncWorker does. A promise
// is for JavaScript to make: one of Node-API is lost where its thread is terminated before.
class Task : public Napi::AsyncWorker {
 public:
  Task(const Napi::Function& done, const char* name) : Napi::AsyncWorker(done, name) {}

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
      Callback().Call({make_js_error(Env(), failure_->code, failure_->message).Value()});
    } else {
      Callback().Call({Env().Undefined(), result()});
    }
  }

  std::optional<Failure> failure_;
};

class LoadTask final : public Task {
 public:
  LoadTask(ModelConfig config, const Napi::Function& on_wake, const Napi::Function& done)
      : Task(done, "headrace.load"), config_(std::move(config)), on_wake_(Napi::Persistent(on_wake)) {}

 private:
  void work() override { engine_ = std::make_shared<Engine>(config_); }
  Napi::Value result() override { return wrap_engine(Env(), std::move(engine_), on_wake_.Value()); }

  const ModelConfig config_;
  Napi::FunctionReference on_wake_;
  std::shared_ptr<Engine> engine_;
};

class CloseTask final : public Task {
 public:
  CloseTask(std::shared_ptr<Engine> engine, bool drain, const Napi::Function& done)
      : Task(done, "headrace.close"), engine_(std::move(engine)), drain_(drain) {}

 private:
  void work() override { engine_->scheduler().close(drain_); }

  const std::shared_ptr<Engine> engine_;
  const bool drain_;
};

class LanesTask final : public Task {
 public:
  LanesTask(std::shared_ptr<Engine> engine, uint32_t lanes, const Napi::Function& done)
      : Task(done, "headrace.lanes"), engine_(std::move(engine)), lanes_(lanes) {}

 private:
  void work() override { engine_->scheduler().set_lanes(lanes_); }

  const std::shared_ptr<Engine> engine_;
  const uint32_t lanes_;
};

class InflateTask final : public Task {
 public:
  InflateTask(const Napi::ArrayBuffer& buffer, std::span<const std::byte> packed, Packing packing, size_t limit,
              const Napi::Function& done)
      : Task(done, "headrace.inflate"),
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
void start(std::unique_ptr<Task> task) { task.release()->Queue(); }

}  // namespace

void load_async(ModelConfig config, const Napi::Function& on_wake, const Napi::Function& done) {
  start(std::make_unique<LoadTask>(std::move(config), on_wake, done));
}

void close_async(std::shared_ptr<Engine> engine, bool drain, const Napi::Function& done) {
  start(std::make_unique<CloseTask>(std::move(engine), drain, done));
}

void set_lanes_async(std::shared_ptr<Engine> engine, uint32_t lanes, const Napi::Function& done) {
  start(std::make_unique<LanesTask>(std::move(engine), lanes, done));
}

void inflate_async(const Napi::ArrayBuffer& buffer, std::span<const std::byte> packed, Packing packing, size_t limit,
                   const Napi::Function& done) {
  start(std::make_unique<InflateTask>(buffer, packed, packing, limit, done));
}

}  // namespace headrace
