// A state as bytes: Scheduler::export_state and import_state.
//
// Layout, little-endian: magic "HRST", u32 version, u64 fingerprint of model and state layout, u64 bytes, then the
// record.
#include <array>
#include <cstring>

#include "scheduler.h"

namespace headrace {
namespace {

constexpr std::array<char, 4> kMagic{'H', 'R', 'S', 'T'};
constexpr uint32_t kVersion = 1;

struct Header {
  std::array<char, 4> magic;
  uint32_t version;
  uint64_t fingerprint;
  uint64_t bytes;
};
static_assert(sizeof(Header) == 24);

}  // namespace

Code Scheduler::export_state(std::string_view name, std::vector<std::byte>& bytes) {
  MutexLock lock(mutex_);
  states_.sweep(now_nanos());  // an expired state is none
  StateEntry* entry = states_.find(name);
  if (entry == nullptr || entry->record == nullptr) return Code::NotFound;
  if (!entry->idle()) return Code::Unavailable;
  const Header header{kMagic, kVersion, session_.fingerprint(), states_.record_bytes()};
  bytes.resize(sizeof(Header) + states_.record_bytes());
  std::memcpy(bytes.data(), &header, sizeof(Header));
  session_.device().copy_out(bytes.data() + sizeof(Header), entry->record, states_.record_bytes());
  return Code::Ok;
}

Code Scheduler::import_state(std::string_view name, std::span<const std::byte> bytes) {
  Header header;
  if (bytes.size() < sizeof(Header)) return Code::InvalidArgument;
  std::memcpy(&header, bytes.data(), sizeof(Header));
  const bool fits = header.magic == kMagic && header.version == kVersion &&
                    header.fingerprint == session_.fingerprint() && header.bytes == bytes.size() - sizeof(Header);
  MutexLock lock(mutex_);
  if (!fits || header.bytes != states_.record_bytes()) return Code::InvalidArgument;
  if (closing_) return Code::Unavailable;
  StateEntry& entry = states_.acquire(name);
  Code code = entry.idle() ? states_.reserve(entry, now_nanos()) : Code::Unavailable;
  if (code == Code::Ok) {
    session_.device().copy_in(entry.record, bytes.data() + sizeof(Header), states_.record_bytes(), {});
    states_.commit(entry, entry.stream, false, now_nanos());
  }
  states_.release(entry);
  return code;
}

}  // namespace headrace
