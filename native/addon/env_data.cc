#include "env_data.h"

namespace headrace {

Napi::Value wrap_engine(Napi::Env env, std::shared_ptr<Engine> engine, const Napi::Function& on_wake) {
  // The constructor copies the pointer before this frame ends.
  const auto external = Napi::External<std::shared_ptr<Engine>>::New(env, &engine);
  return env.GetInstanceData<EnvData>()->engine_class.New({external, on_wake});
}

}  // namespace headrace
