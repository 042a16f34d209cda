// What an I/O thread tells JavaScript: events into a block, blocks over to the other side and back.
#include "io_thread.h"
#include "threshold.h"

namespace headrace {
namespace {

// What JavaScript has not read yet; beyond it, new requests and more of their bodies wait. Each connection has its own
// limit besides, which those that come, send and go escape.
constexpr size_t kMaxTold = threshold(32 << 20);

}  // namespace

const EventBlock* IoThread::drain() {
  bool returned = false;
  const EventBlock* next = nullptr;
  {
    MutexLock lock(mutex_);
    if (lent_) {
      returned_.push_back(std::move(lent_));
      returned = true;
    }
    if (!ready_.empty()) {
      lent_ = std::move(ready_.front());
      ready_.pop_front();
      next = lent_.get();
    }
  }
  if (returned && throttled_.load() > 0) wake();
  return next;
}

std::byte* IoThread::tell(const Event& event, size_t bytes) {
  if (!block_ || !block_->has_room(bytes)) next_block(bytes);
  told_bytes_ += EventBlock::cost_of(bytes);
  if (!is_behind_ && told_bytes_ > kMaxTold) {
    is_behind_ = true;
    throttled(true);
  }
  return block_->add(event, bytes);
}

void IoThread::next_block(size_t bytes) {
  if (block_ && !block_->empty()) full_.push_back(std::move(block_));
  if (bytes > EventBlock::kBytes) {
    block_ = std::make_unique<EventBlock>(bytes);
  } else if (spare_blocks_.empty()) {
    block_ = std::make_unique<EventBlock>();
  } else {
    block_ = std::move(spare_blocks_.back());
    spare_blocks_.pop_back();
  }
}

void IoThread::publish() {
  if (block_ && !block_->empty()) full_.push_back(std::move(block_));
  if (full_.empty()) return;
  bool was_empty = false;
  {
    MutexLock lock(mutex_);
    was_empty = ready_.empty();
    for (auto& block : full_) ready_.push_back(std::move(block));
  }
  full_.clear();
  if (was_empty) wake_();
}

void IoThread::acknowledge(const EventBlock& block) {
  for (const Event& event : block.events()) {
    if (!waits_for_reader(event.kind)) continue;
    if (Connection* connection = find(event.connection)) connection->acknowledged(event.body_bytes);
  }
  told_bytes_ -= block.cost();
  if (is_behind_ && told_bytes_ <= kMaxTold / 2) caught_up();
}

void IoThread::caught_up() {
  is_behind_ = false;
  throttled(false);
  for (Connection* connection : connections_.all()) connection->reader_caught_up();
}

}  // namespace headrace
