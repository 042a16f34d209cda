#include "io_thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <future>
#include <system_error>

#include "status.h"
#include "thread_name.h"
#include "threshold.h"

namespace headrace {
namespace {

constexpr size_t kScratchBytes = threshold(256 << 10);
constexpr int kMaxReady = 256;
constexpr Nanos kTick = 1'000'000'000;
constexpr size_t kSpareBlocks = 8;
constexpr size_t kSpareBatches = 8;
// A spare batch keeps at most so much memory.
constexpr size_t kSpareBatchBytes = threshold(1 << 20);

uint32_t interest(bool reads, bool writes) { return (reads ? EPOLLIN : 0U) | (writes ? EPOLLOUT : 0U); }

}  // namespace

IoThread::IoThread(unsigned index, const ServerOptions& options, ServerShared& shared, std::function<void()> wake)
    : index_(index),
      options_(options),
      shared_(shared),
      wake_(std::move(wake)),
      poller_(epoll_create1(EPOLL_CLOEXEC)),
      connections_(index, options.threads),
      scratch_(kScratchBytes) {
  if (!poller_) throw Error(Code::ResourceExhausted, "there are no file descriptors left for a server");
  epoll_event event{.events = EPOLLIN, .data = {.ptr = doorbell_.get()}};
  if (epoll_ctl(poller_.get(), EPOLL_CTL_ADD, doorbell_->fd(), &event) != 0) {
    throw Error(Code::ResourceExhausted, "the system has no room for what a server watches");
  }
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    throw Error(Code::ResourceExhausted, "the system has no thread left for a server");
  }
}

IoThread::~IoThread() { stop(0); }

void IoThread::post(std::function<void()> task) {
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    if (inbox_.empty()) inbox_.emplace_back();
    CommandBatch& batch = inbox_.back();
    batch.commands.push_back({.kind = CommandKind::Task, .offset = batch.tasks.size()});
    batch.tasks.push_back(std::move(task));
  }
  wake();
}

void IoThread::post_and_wait(const std::function<void()>& task) {
  auto done = std::make_shared<std::promise<void>>();
  const std::future<void> ran = done->get_future();
  // A task that is dropped, because the thread has ended, takes the promise with it, and the wait is over too.
  post([&task, done = std::move(done)] {
    task();
    done->set_value();
  });
  ran.wait();
}

void IoThread::submit(CommandBatch& batch) {
  {
    MutexLock lock(mutex_);
    if (ended_) {
      batch.clear();
      return;
    }
    inbox_.push_back(std::move(batch));
    if (spare_batches_.empty()) {
      batch = CommandBatch();
    } else {
      batch = std::move(spare_batches_.back());
      spare_batches_.pop_back();
    }
  }
  wake();
}

void IoThread::schedule_first() {
  const sched_param parameters{.sched_priority = sched_get_priority_min(SCHED_RR)};
  if (pthread_setschedparam(thread_.native_handle(), SCHED_RR, &parameters) == 0) return;
  throw Error(
      Code::InvalidArgument,
      "the system does not let this process have real-time threads; give it CAP_SYS_NICE or a limit of at least 1 "
      "for them (ulimit -r, LimitRTPRIO), or leave it out");
}

void IoThread::begin_stop(Nanos linger) {
  linger_.store(linger);
  stopping_.store(true);
  wake();
}

void IoThread::stop(Nanos linger) {
  if (!thread_.joinable()) return;
  begin_stop(linger);
  thread_.join();
  // Not when the owner goes: that may be long after, where its handle waits to be collected.
  doorbell_->close();
  poller_.reset();
}

void IoThread::run() {
  name_this_thread("headrace-io" + std::to_string(index_));
  now_ = now_nanos();
  next_tick_ = now_ + kTick;
  while (!stopping_.load()) turn();
  close_all();
}

void IoThread::turn() {
  std::array<epoll_event, kMaxReady> ready;
  const int count = epoll_wait(poller_.get(), ready.data(), kMaxReady, sleep_millis());
  doorbell_->end_sleep();
  now_ = now_nanos();
  // Before the sockets: what a client does after it has heard of a command's effect finds it there, whichever thread it
  // does it over.
  take_inbox();
  for (int i = 0; i < count; ++i) serve(ready[static_cast<size_t>(i)].data.ptr, ready[static_cast<size_t>(i)].events);
  proceed_all();
  is_busy_ = false;
  for (TurnWork* work : works_) is_busy_ |= work->turn();
  flush_all();
  if (shared_.unread.load(std::memory_order_relaxed) > options_.max_unread) close_slowest();
  if (now_ >= next_tick_) tick();
  publish();
  buried_.clear();
}

int IoThread::sleep_millis() {
  if (is_busy_ || !resuming_.empty() || stopping_.load()) return 0;
  if (!doorbell_->begin_sleep()) return 0;
  const Nanos left = next_tick_ - now_nanos();
  return left <= 0 ? 0 : static_cast<int>(left / 1'000'000) + 1;
}

void IoThread::serve(const void* who, uint32_t what) {
  if (who == doorbell_.get()) return doorbell_->answer();
  if (who == &door_) {
    if (door_) accept_all();  // it may have been closed since the system was asked
    return;
  }
  Connection& connection = *static_cast<Connection*>(const_cast<void*>(who));
  const bool is_gone = (what & (EPOLLERR | EPOLLHUP)) != 0;
  if (connection.is_open() && (is_gone || (what & EPOLLIN) != 0)) connection.readable(is_gone);
  if (connection.is_open() && (what & EPOLLOUT) != 0) connection.flush();
}

void IoThread::take_inbox() {
  doorbell_->begin_turn();
  {
    MutexLock lock(mutex_);
    taken_.swap(inbox_);
    read_.swap(returned_);
  }
  for (const auto& block : read_) acknowledge(*block);
  for (auto& block : read_) {
    if (!block->is_standard() || spare_blocks_.size() >= kSpareBlocks) continue;
    block->clear();
    spare_blocks_.push_back(std::move(block));
  }
  read_.clear();
  if (taken_.empty()) return;
  for (CommandBatch& batch : taken_) {
    execute(batch);
    batch.clear();
  }
  MutexLock lock(mutex_);
  for (CommandBatch& batch : taken_) {
    if (spare_batches_.size() >= kSpareBatches || batch.bytes.capacity() > kSpareBatchBytes) continue;
    spare_batches_.push_back(std::move(batch));
  }
  taken_.clear();
}

void IoThread::execute(const CommandBatch& batch) {
  for (const Command& command : batch.commands) execute(command, batch);
}

void IoThread::execute(const Command& command, const CommandBatch& batch) {
  if (command.kind == CommandKind::Task) {
    batch.tasks[command.offset]();
    return;
  }
  Connection* connection = find(command.connection);
  if (connection == nullptr || !connection->is_open()) return;  // its client has gone, and JavaScript is told so
  const std::span bytes(batch.bytes);
  const std::span head = bytes.subspan(command.offset, command.head_bytes);
  const std::span body = bytes.subspan(command.offset + command.head_bytes, command.body_bytes);
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  switch (command.kind) {
    case CommandKind::Respond:
      return connection->respond(text, body, command.flags);
    case CommandKind::Abort:
      return connection->close();
    case CommandKind::Accept:
      connection->accept_for_events(text,
                                    {command.numbers[0], static_cast<Nanos>(command.numbers[1]), command.numbers[2]});
      return;
    case CommandKind::Send:
      return connection->send(static_cast<Opcode>(command.flags), body);
    case CommandKind::End:
      return connection->end(command.flags, text);
    case CommandKind::Task:
      return;
  }
}

void IoThread::listen_on(int fd, bool proxied) {
  door_.emplace(Door{fd, proxied});
  open_door();
}

void IoThread::open_door() {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &door_}};
  door_->is_open = epoll_ctl(poller_.get(), EPOLL_CTL_ADD, door_->fd, &event) == 0;
}

void IoThread::stop_listening() {
  if (!door_) return;
  if (door_->is_open) epoll_ctl(poller_.get(), EPOLL_CTL_DEL, door_->fd, nullptr);
  accept_the_rest();
  door_.reset();
}

void IoThread::adopt(UniqueFd fd, std::string address, bool proxied) {
  if (connections_.is_full()) {
    load.fetch_sub(1);
    shared_.connections.fetch_sub(1);
    shared_.refused.fetch_add(1);
    return;
  }
  Connection& connection = connections_.add(
      [&](uint64_t id) { return std::make_unique<Connection>(*this, id, std::move(fd), std::move(address)); });
  if (proxied) connection.expect_proxy_header();
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
  if (epoll_ctl(poller_.get(), EPOLL_CTL_ADD, connection.fd(), &event) != 0) connection.close();
}

void IoThread::add(TurnWork& work) { works_.push_back(&work); }
void IoThread::remove(TurnWork& work) { std::erase(works_, &work); }
void IoThread::add(RequestHandler& handler) { request_handlers_.push_back(&handler); }
void IoThread::remove(RequestHandler& handler) { std::erase(request_handlers_, &handler); }

Connection* IoThread::find(uint64_t id) const { return connections_.find(id); }

void IoThread::watch(Connection& connection, bool reads, bool writes) {
  epoll_event event{.events = interest(reads, writes), .data = {.ptr = &connection}};
  if (epoll_ctl(poller_.get(), EPOLL_CTL_MOD, connection.fd(), &event) != 0) connection.close();
}

void IoThread::bury(Connection& connection) {
  if (connection.is_resuming) std::erase(resuming_, &connection);
  if (connection.is_dirty) std::erase(dirty_, &connection);
  auto taken = connections_.take(connection.id());
  if (taken == nullptr) bug("a connection was closed that its thread does not have");
  buried_.push_back(std::move(taken));
  load.fetch_sub(1);
  shared_.connections.fetch_sub(1);
}

std::string_view IoThread::date_field() {
  const int64_t second = now_ / 1'000'000'000;
  if (second != date_second_) {
    date_second_ = second;
    const std::time_t time = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&time, &parts);
    std::array<char, 64> text{};
    const size_t size = std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    date_field_.assign(text.data(), size);
  }
  return date_field_;
}

void IoThread::proceed_all() {
  // Those that could go on may be able to again at once: they get their next turn in the next one.
  std::vector<Connection*> now;
  now.swap(resuming_);
  for (Connection* connection : now) connection->proceed();
}

void IoThread::flush_all() {
  // Flushing may close a connection, which takes it off the list.
  while (!dirty_.empty()) {
    Connection* connection = dirty_.back();
    dirty_.pop_back();
    connection->is_dirty = false;
    connection->flush();
  }
}

// All clients together leave too much unread: those go that are furthest behind, until it is not too much. A thread
// that has less than its part of it leaves that to the others. An answer that is alone is kept, however large it is.
void IoThread::close_slowest() {
  std::vector<Connection*> behind;
  size_t here = 0;
  for (Connection* connection : connections_.all()) {
    if (connection->counted_unread() == 0) continue;
    behind.push_back(connection);
    here += connection->counted_unread();
  }
  if (here < shared_.unread.load() / options_.threads) return;
  std::sort(behind.begin(), behind.end(),
            [](const Connection* a, const Connection* b) { return a->stalled_since() < b->stalled_since(); });
  for (Connection* connection : behind) {
    const size_t unread = shared_.unread.load();
    if (unread <= options_.max_unread || unread == connection->counted_unread()) return;
    shared_.closed_unread.fetch_add(1, std::memory_order_relaxed);
    connection->close();
  }
}

void IoThread::tick() {
  next_tick_ = now_ + kTick;
  if (door_ && !door_->is_open) open_door();
  for (Connection* connection : connections_.all()) connection->tick(now_);
  flush_all();
}

// Only writes, refuses what still comes, and hears of clients that close.
void IoThread::turn_while_closing() {
  std::array<epoll_event, kMaxReady> ready;
  const int count = epoll_wait(poller_.get(), ready.data(), kMaxReady, 10);
  now_ = now_nanos();
  for (int i = 0; i < count; ++i) serve(ready[static_cast<size_t>(i)].data.ptr, ready[static_cast<size_t>(i)].events);
  for (Connection* connection : connections_.all()) connection->end_after_flush();
  flush_all();
  if (now_ >= next_tick_) tick();
  buried_.clear();
}

void IoThread::close_all() {
  stop_listening();
  take_inbox();
  const Nanos until = now_nanos() + linger_.load();
  is_closing_ = true;
  // What a client had sent by now it gets an answer to.
  for (Connection* connection : connections_.all()) connection->last_call();
  for (Connection* connection : connections_.all()) connection->leave();
  flush_all();
  while (!connections_.empty() && now_nanos() < until) turn_while_closing();
  for (Connection* connection : connections_.all()) connection->close();
  publish();
  buried_.clear();
  MutexLock lock(mutex_);
  ended_ = true;
  inbox_.clear();
}

}  // namespace headrace
