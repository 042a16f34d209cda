#include "state_store.h"

#include <algorithm>

namespace headrace {
namespace {

constexpr size_t kChunkBytes = size_t{256} << 10;
constexpr size_t kMaxRecordsPerChunk = 1024;
// An owner who never asks must not make the list of evictions grow for ever; the counter still counts them all.
constexpr size_t kMaxUnreadEvictions = 65'536;

}  // namespace

StateStore::StateStore(const Options& options, const Device& device)
    : options_(options),
      device_(device),
      records_per_chunk_(
          std::clamp<size_t>(kChunkBytes / std::max<size_t>(1, options.record_bytes), 1, kMaxRecordsPerChunk)) {}

StateEntry& StateStore::acquire(std::string_view name) {
  if (StateEntry* known = find(name)) {
    ++known->references;
    return *known;
  }
  auto entry = std::make_unique<StateEntry>();
  entry->name = name;
  entry->references = 1;
  if (free_keys_.empty()) {
    entry->key = static_cast<uint32_t>(by_key_.size());
    by_key_.push_back(entry.get());
  } else {
    entry->key = free_keys_.back();
    free_keys_.pop_back();
    by_key_[entry->key] = entry.get();
  }
  StateEntry& result = *entry;
  by_name_.emplace(std::string_view(result.name), std::move(entry));
  return result;
}

StateEntry* StateStore::acquire(uint32_t key) {
  if (key >= by_key_.size() || by_key_[key] == nullptr) return nullptr;
  ++by_key_[key]->references;
  return by_key_[key];
}

void StateStore::release(StateEntry& entry) {
  if (--entry.references > 0 || entry.record != nullptr) return;
  by_key_[entry.key] = nullptr;
  free_keys_.push_back(entry.key);
  by_name_.erase(by_name_.find(entry.name));
}

StateEntry* StateStore::find(std::string_view name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.get();
}

Code StateStore::reserve(StateEntry& entry, Nanos now) {
  if (entry.record != nullptr) {
    if (entry.idle() && expired(entry, now)) {
      entry.committed = false;
      ++evicted_;
      if (evictions_.size() < kMaxUnreadEvictions) evictions_.push_back({entry.name, EvictReason::Ttl});
    }
    return Code::Ok;
  }
  if (live_ >= options_.max_states) sweep(now);
  if (live_ >= options_.max_states && (options_.evict != EvictPolicy::Lru || !evict_oldest_idle())) {
    return Code::ResourceExhausted;
  }
  try {
    entry.record = take_record();
  } catch (const std::exception&) {
    return Code::ResourceExhausted;  // no memory: as full as the limit would be
  }
  entry.committed = false;
  entry.last_step = now;
  ++live_;
  link_newest(entry);
  return Code::Ok;
}

void StateStore::commit(StateEntry& entry, uint32_t stream, bool end, Nanos now) {
  entry.committed = !end;
  entry.owner = stream;
  touch(entry, now);
  abandon(entry);
}

void StateStore::abandon(StateEntry& entry) {
  if (!entry.idle() || entry.record == nullptr) return;
  if (!entry.has_state_of(entry.stream)) free_record(entry);
}

void StateStore::drop(StateEntry& entry) {
  ++entry.stream;
  if (entry.idle() && entry.record != nullptr) free_record(entry);
}

void StateStore::sweep(Nanos now) {
  StateEntry* entry = oldest_;
  while (entry != nullptr && expired(*entry, now)) {
    StateEntry* next = entry->newer;
    if (entry->idle()) evict(*entry, EvictReason::Ttl);
    entry = next;
  }
}

std::vector<Eviction> StateStore::take_evictions() { return std::exchange(evictions_, {}); }

std::byte* StateStore::take_record() {
  if (free_records_.empty()) {
    const size_t bytes = std::max<size_t>(1, options_.record_bytes);
    free_records_.reserve((chunks_.size() + 1) * records_per_chunk_);  // so that giving one back never allocates
    chunks_.push_back(device_.allocate(records_per_chunk_ * bytes));
    for (size_t i = records_per_chunk_; i-- > 0;) free_records_.push_back(chunks_.back().data() + i * bytes);
  }
  std::byte* record = free_records_.back();
  free_records_.pop_back();
  return record;
}

void StateStore::free_record(StateEntry& entry) {
  unlink(entry);
  free_records_.push_back(entry.record);
  entry.record = nullptr;
  entry.committed = false;
  --live_;
  ++entry.references;  // so that release() below decides, also for an entry that nobody holds
  release(entry);
}

void StateStore::evict(StateEntry& entry, EvictReason reason) {
  ++evicted_;
  if (evictions_.size() < kMaxUnreadEvictions) evictions_.push_back({entry.name, reason});
  free_record(entry);
}

bool StateStore::evict_oldest_idle() {
  for (StateEntry* entry = oldest_; entry != nullptr; entry = entry->newer) {
    if (!entry->idle()) continue;
    evict(*entry, EvictReason::Lru);
    return true;
  }
  return false;
}

bool StateStore::expired(const StateEntry& entry, Nanos now) const { return now - entry.last_step > options_.ttl; }

void StateStore::touch(StateEntry& entry, Nanos now) {
  entry.last_step = now;
  if (newest_ == &entry) return;
  unlink(entry);
  link_newest(entry);
}

void StateStore::link_newest(StateEntry& entry) {
  entry.older = newest_;
  entry.newer = nullptr;
  if (newest_ != nullptr) newest_->newer = &entry;
  newest_ = &entry;
  if (oldest_ == nullptr) oldest_ = &entry;
}

void StateStore::unlink(StateEntry& entry) {
  if (entry.older != nullptr) entry.older->newer = entry.newer;
  if (entry.newer != nullptr) entry.newer->older = entry.older;
  if (oldest_ == &entry) oldest_ = entry.newer;
  if (newest_ == &entry) newest_ = entry.older;
  entry.older = entry.newer = nullptr;
}

}  // namespace headrace
