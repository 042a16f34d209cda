#include "sharing.h"

#include <map>

#include "mutex.h"

namespace headrace {
namespace {

struct Registry {
  Mutex mutex;
  uint32_t next GUARDED_BY(mutex) = 1;
  std::map<uint32_t, std::weak_ptr<Engine>> engines GUARDED_BY(mutex);
};

Registry& registry() {
  static Registry instance;
  return instance;
}

}  // namespace

uint32_t share_engine(const std::shared_ptr<Engine>& engine) {
  Registry& all = registry();
  MutexLock lock(all.mutex);
  std::erase_if(all.engines, [](const auto& entry) { return entry.second.expired(); });
  for (const auto& [token, known] : all.engines) {
    if (known.lock() == engine) return token;
  }
  all.engines[all.next] = engine;
  return all.next++;
}

std::shared_ptr<Engine> shared_engine(uint32_t token) {
  Registry& all = registry();
  MutexLock lock(all.mutex);
  const auto found = all.engines.find(token);
  return found == all.engines.end() ? nullptr : found->second.lock();
}

}  // namespace headrace
