// A thread that owns sockets: reads them, lets handlers answer, tells JavaScript the rest, writes.
//
// Who calls what:
//   post, submit, post_and_wait, drain, stop      any thread
//   everything else                                this thread only: handlers, and tasks that were posted
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "commands.h"
#include "connection.h"
#include "connection_table.h"
#include "doorbell.h"
#include "events.h"
#include "handlers.h"
#include "mutex.h"
#include "unique_fd.h"

namespace headrace {

struct ServerOptions {
  unsigned threads = 1;
  bool realtime = false;  // its threads go before all that are not so
  size_t max_connections = SIZE_MAX;
  Nanos head_timeout = 30'000'000'000;        // from a head's first byte to its last; also between pieces of a body
  size_t least_rate = 512;                    // bytes a second of a body, or read of an answer, beyond `head_timeout`
  Nanos keep_alive_timeout = 75'000'000'000;  // between requests
  size_t max_pending = 256 << 10;             // bytes of a request that is put together for a handler
  size_t max_incoming = size_t{1} << 30;      // bytes of requests and messages that are not done with, of all clients
  size_t max_unread = size_t{1} << 30;        // bytes of answers that the system does not take, of all clients
};

// What all threads of a server have in common.
struct ServerShared {
  std::atomic<size_t> connections = 0;
  std::atomic<size_t> refused = 0;
  std::atomic<size_t> incoming = 0;          // see ServerOptions::max_incoming
  std::atomic<size_t> refused_incoming = 0;  // requests and messages that would have been too much
  std::atomic<size_t> unread = 0;            // see ServerOptions::max_unread
  std::atomic<size_t> closed_unread = 0;     // connections that were closed because it was too much
  std::atomic<bool> leaving = false;         // nobody is let in any more, so that each answer is its connection's last
};

class IoThread {
 public:
  // `wake` is called, from this thread and without a lock held, when there is something to drain and was not before.
  IoThread(unsigned index, const ServerOptions& options, ServerShared& shared, std::function<void()> wake);
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  // --- any thread ---

  // Connections that it has, or is about to be given.
  std::atomic<size_t> load = 0;

  // Runs a task in its next turn. After the thread has ended it is dropped.
  void post(std::function<void()> task) EXCLUDES(mutex_);
  // The same, and returns when it has run; must not be called by this thread.
  void post_and_wait(const std::function<void()>& task) EXCLUDES(mutex_);
  // Gives a batch of commands over and leaves an empty one in its place.
  void submit(CommandBatch& batch) EXCLUDES(mutex_);
  // The next block of events, or null; the one that was given before goes back.
  const EventBlock* drain() EXCLUDES(mutex_);
  // Interrupts its sleep.
  void wake() { doorbell_->ring(); }
  // The same, for those who may still want to when the thread is gone.
  const std::shared_ptr<Doorbell>& doorbell() const { return doorbell_; }
  // From now on it has its core as soon as it wants it, whatever else runs there that is not so. Throws
  // Error(InvalidArgument) where the system does not allow it.
  void schedule_first();
  // Begins to stop, without waiting for it.
  void begin_stop(Nanos linger);
  // Closes all connections, after what was written has been sent or `linger` has passed, and ends. Blocks. Idempotent.
  void stop(Nanos linger) EXCLUDES(mutex_);

  // --- this thread ---

  void listen_on(int fd, bool proxied);
  void stop_listening();
  // A client's socket; `proxied`: a PROXY header comes first.
  void adopt(UniqueFd fd, std::string address, bool proxied);
  // Whom accepted sockets go to; by default this thread.
  std::function<void(UniqueFd, std::string, bool)> on_accept;

  void add(TurnWork& work);
  void remove(TurnWork& work);
  void add(RequestHandler& handler);
  void remove(RequestHandler& handler);
  const std::vector<RequestHandler*>& request_handlers() const { return request_handlers_; }

  // Null where it is gone.
  Connection* find(uint64_t id) const;
  // An event for JavaScript, with room for its bytes.
  std::byte* tell(const Event& event, size_t bytes);

  const ServerOptions& options() const { return options_; }
  unsigned index() const { return index_; }
  // Whether requests are refused: what was taken before has been answered or was given up.
  bool is_closing() const { return is_closing_; }
  // Whether connections end with their next answer.
  ServerShared& shared() { return shared_; }
  bool is_leaving() const { return shared_.leaving.load(std::memory_order_relaxed); }
  // Whether JavaScript has so much to read that it is told of nothing new for now.
  bool is_behind() const { return is_behind_; }
  // When this turn began: near enough for timeouts.
  Nanos now() const { return now_; }
  // The Date field of answers (RFC 9110 6.6.1), with CRLF.
  std::string_view date_field();

  // --- for connections ---

  std::span<char> scratch() { return scratch_; }
  HttpHead& head() { return head_; }
  void watch(Connection& connection, bool reads, bool writes);
  void dirty(Connection& connection) { dirty_.push_back(&connection); }
  void resuming(Connection& connection) { resuming_.push_back(&connection); }
  // One connection more, or less, waits for JavaScript to read its events.
  void throttled(bool more) { throttled_.fetch_add(more ? 1 : -1); }
  void bury(Connection& connection);

 private:
  // A listening socket, which belongs to the Server.
  struct Door {
    int fd;
    bool proxied;
    bool is_open = false;  // watched; not while there are no descriptors left
  };

  void run();
  void turn();
  int sleep_millis();
  void serve(const void* who, uint32_t what);
  void take_inbox() EXCLUDES(mutex_);
  void execute(const CommandBatch& batch);
  void execute(const Command& command, const CommandBatch& batch);
  void open_door();
  void accept_all();
  void accept_the_rest();
  bool accept_one();
  void proceed_all();
  void flush_all();
  void close_slowest();
  void tick();
  void publish() EXCLUDES(mutex_);
  void next_block(size_t bytes);
  void acknowledge(const EventBlock& block);
  void caught_up();
  void close_all();
  void turn_while_closing();

  const unsigned index_;
  const ServerOptions options_;
  ServerShared& shared_;
  const std::function<void()> wake_;

  // This thread's.
  UniqueFd poller_;
  std::optional<Door> door_;
  ConnectionTable<Connection> connections_;
  std::vector<std::unique_ptr<Connection>> buried_;
  std::vector<Connection*> dirty_;
  std::vector<Connection*> resuming_;
  std::vector<TurnWork*> works_;
  std::vector<RequestHandler*> request_handlers_;
  std::vector<char> scratch_;
  HttpHead head_;
  std::unique_ptr<EventBlock> block_;  // being filled
  std::vector<std::unique_ptr<EventBlock>> full_;
  size_t told_bytes_ = 0;  // in events that JavaScript has not read
  bool is_behind_ = false;
  Nanos now_ = 0;
  Nanos next_tick_ = 0;
  bool is_busy_ = false;
  bool is_closing_ = false;
  int64_t date_second_ = -1;
  std::string date_field_;
  std::vector<CommandBatch> taken_;
  std::vector<std::unique_ptr<EventBlock>> read_;  // blocks that came back
  std::vector<std::unique_ptr<EventBlock>> spare_blocks_;

  const std::shared_ptr<Doorbell> doorbell_ = std::make_shared<Doorbell>();
  std::atomic<bool> stopping_ = false;
  // So many connections wait for JavaScript to read their events; one more where is_behind_.
  std::atomic<int> throttled_ = 0;
  std::atomic<Nanos> linger_ = 0;

  Mutex mutex_;
  std::vector<CommandBatch> inbox_ GUARDED_BY(mutex_);
  std::vector<CommandBatch> spare_batches_ GUARDED_BY(mutex_);
  std::deque<std::unique_ptr<EventBlock>> ready_ GUARDED_BY(mutex_);
  std::unique_ptr<EventBlock> lent_ GUARDED_BY(mutex_);  // what JavaScript reads
  std::vector<std::unique_ptr<EventBlock>> returned_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it runs on all of the above
};

}  // namespace headrace
