// The states of all state ids of one model: who has one, where its bytes are, when it goes.
//
// Thread safety: none of its own; the scheduler's mutex guards every call. The bytes of a record may be read and
// written without that mutex by whoever runs the id's active step: there is at most one, and a record never moves.
//
// Rules (docs/architecture.md, "State"): a state is made on first use, kept for `ttl` after its last step, counted
// against `max_states`; when full, a new id is refused or, with EvictPolicy::Lru, the idle state stepped longest ago
// goes.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "clock.h"
#include "device.h"
#include "model_config.h"
#include "status.h"

namespace headrace {

struct Request;

// Why a state went without being asked to; what `onEvict` is told.
enum class EvictReason : uint8_t { Ttl, Lru };

// One state id. Owned by the store; its address is stable while it is referenced.
struct StateEntry {
  std::string name;
  uint32_t key = 0;
  uint32_t references = 0;      // pins by name and steps that name it
  std::byte* record = nullptr;  // null: it has no state; else counted against max_states
  bool committed = false;       // the record holds the outcome of a step; else the next step begins afresh
  uint32_t stream = 0;        // counts those that have had this name: of one that was dropped there may still be steps
  uint32_t owner = 0;         // the stream whose outcome the record holds; to another's step there is none
  Request* active = nullptr;  // the step in a batch, or completed and not yet committed
  Request* first = nullptr;   // the steps behind it, in the order submitted
  Request* last = nullptr;
  Nanos last_step = 0;
  StateEntry* older = nullptr;  // neighbours in the order of last_step, among those with a record
  StateEntry* newer = nullptr;

  bool has_state_of(uint32_t of) const { return committed && owner == of; }
  bool idle() const { return active == nullptr && first == nullptr; }
};

struct Eviction {
  std::string name;
  EvictReason reason;
};

class StateStore {
 public:
  struct Options {
    size_t record_bytes = 0;
    uint32_t max_states = 10'000;
    Nanos ttl = 0;
    EvictPolicy evict = EvictPolicy::Refuse;
  };

  StateStore(const Options& options, const Device& device);

  // The entry of a name, made where there is none, with one more reference.
  StateEntry& acquire(std::string_view name);
  // Once more for an entry by its key; null where the key is not in use.
  StateEntry* acquire(uint32_t key);
  // Gives one reference back; the last one frees an entry without state.
  void release(StateEntry& entry);

  // The entry of a name if it has one.
  StateEntry* find(std::string_view name);

  // Makes sure that the entry has a record for a step at `now`: an expired state begins afresh, a new one is counted.
  // ResourceExhausted when full, or where there is no memory.
  Code reserve(StateEntry& entry, Nanos now);

  // After a step of a stream of this name: committed or not. `end` frees the state. The entry may be left without a
  // record.
  void commit(StateEntry& entry, uint32_t stream, bool end, Nanos now);
  void abandon(StateEntry& entry);

  // Ends the stream of this name: its state goes now, or after those of its steps that are under way. Steps from now on
  // are another stream's.
  void drop(StateEntry& entry);

  // Evicts what has outlived the ttl. Cheap when nothing has.
  void sweep(Nanos now);

  // What was evicted since the last call.
  std::vector<Eviction> take_evictions();

  size_t live() const { return live_; }
  uint64_t evicted() const { return evicted_; }
  size_t allocated_bytes() const { return chunks_.size() * records_per_chunk_ * options_.record_bytes; }
  size_t record_bytes() const { return options_.record_bytes; }

 private:
  std::byte* take_record();
  void free_record(StateEntry& entry);
  void evict(StateEntry& entry, EvictReason reason);
  bool evict_oldest_idle();
  bool expired(const StateEntry& entry, Nanos now) const;
  void touch(StateEntry& entry, Nanos now);
  void link_newest(StateEntry& entry);
  void unlink(StateEntry& entry);

  const Options options_;
  const Device& device_;
  const size_t records_per_chunk_;
  std::unordered_map<std::string_view, std::unique_ptr<StateEntry>> by_name_;  // keys view into the entries' names
  std::vector<StateEntry*> by_key_;
  std::vector<uint32_t> free_keys_;
  std::vector<Buffer> chunks_;
  std::vector<std::byte*> free_records_;
  std::vector<Eviction> evictions_;
  StateEntry* oldest_ = nullptr;
  StateEntry* newest_ = nullptr;
  size_t live_ = 0;
  uint64_t evicted_ = 0;
};

}  // namespace headrace
