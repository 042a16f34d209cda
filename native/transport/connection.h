// One socket of a client: what came and was not understood yet, what is to be written, and the protocol that it speaks.
//
// Owned by its IoThread, used by that thread only. A connection that has ended stays in memory until the end of the
// turn, so that whoever was just using it may go on; it then takes nothing more and says nothing more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chunked_body.h"
#include "clock.h"
#include "handlers.h"
#include "http_head.h"
#include "output.h"
#include "unique_fd.h"
#include "ws_frame.h"

namespace headrace {

class IoThread;

// Why a WebSocket ends that had all its answers, with 1001.
inline constexpr std::string_view kStopping = "UNAVAILABLE: the server is stopping";

// How a WebSocket is to be.
struct WebSocketLimits {
  size_t max_message = 1 << 20;  // bytes; a larger one ends the connection with 1009
  Nanos idle_timeout = 0;        // without anything from the client, pongs included, or read by it; 0: for ever
  size_t max_unsent = 1 << 20;   // bytes of answers that the client has not read
};

class Connection {
 public:
  Connection(IoThread& io, uint64_t id, UniqueFd fd, std::string address);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  uint64_t id() const { return id_; }
  IoThread& io() const { return io_; }
  // The client's, as text.
  const std::string& address() const { return address_; }
  bool is_open() const { return state_ != State::Closed; }

  // --- HTTP: the request under way ---

  // Its whole answer. `head` is a status line without the version, then fields, each ended by CRLF.
  void respond(std::string_view head, std::span<const std::byte> body, uint32_t flags = 0);
  // Makes it a WebSocket. `fields` are more lines of the answer, each ended by CRLF. False: no handshake is under way.
  bool accept(std::string_view fields, const WebSocketLimits& limits, std::unique_ptr<FrameHandler> handler);
  // The same, with JavaScript as its handler.
  bool accept_for_events(std::string_view fields, const WebSocketLimits& limits);

  // --- WebSocket ---

  void send(Opcode opcode, std::span<const std::byte> payload);
  // Writes the head of a frame and makes room for its payload, to be filled before anything else is called.
  std::byte* reserve(Opcode opcode, size_t payload_bytes);
  // Sends a close frame after all that was sent before, and ends the connection when the client has answered it.
  void end(unsigned code, std::string_view reason);
  const WebSocketLimits& limits() const { return limits_; }
  FrameHandler* frame_handler() const { return frames_.get(); }

  // --- both ---

  // Whether anything that comes would be taken now.
  bool wants_input() const;
  // Nothing is read while it is paused, which the client notices by and by.
  void pause();
  void resume();
  bool is_paused() const { return paused_; }
  // Bytes that the system has not taken yet.
  size_t unsent() const { return out_.size(); }
  // Those that count for ServerOptions::max_unread.
  size_t counted_unread() const { return counted_unread_; }
  // When a client that does not read last took something; 0: it reads.
  Nanos stalled_since() const { return stalled_since_; }
  // At once; what was not sent is lost.
  void close();

  // --- for the IoThread ---

  // `is_gone`: the socket says that nothing can be sent or received any more.
  void readable(bool is_gone);
  // Goes on with what had come while it could not be taken.
  void proceed();
  // Hands what is to be written to the system.
  void flush();
  // Looks at its timeouts.
  void tick(Nanos now);
  // An event was told that waits_for_reader().
  void told(size_t bytes);
  // JavaScript has read it.
  void acknowledged(size_t bytes);
  // The thread is not behind any more.
  void reader_caught_up();
  // Takes nothing more, and ends when all is written.
  void end_after_flush();
  // When all are told to go: as `end_after_flush`, and a WebSocket that nobody has ended hears why.
  void leave();
  // When all are told to go: reads what has come by now.
  void last_call();
  // Its first bytes are the header of a proxy.
  void expect_proxy_header() { state_ = State::Proxy; }
  int fd() const { return fd_.get(); }

  bool is_dirty = false;     // in the list of those to be flushed
  bool is_resuming = false;  // in the list of those to proceed

 private:
  enum class State : uint8_t {
    Proxy,      // the header of a proxy is to come
    Head,       // between requests, or within a head
    Body,       // a request is under way whose body has not all come
    Answering,  // a request is under way that has all come
    WebSocket,
    Ending,     // a WebSocket whose close frame was sent
    Flushing,   // closes once everything is written
    Lingering,  // everything is written, the client still sends: read and dropped for a while
    Closed,
  };

  // Input (connection.cc)
  bool receive_into(std::span<char> room, size_t& got);
  void drop_input();
  void write_out();
  void flushed();
  Nanos time_for(uint64_t bytes) const;
  void set_throttled();
  void listen_again();
  bool is_held() const;
  void abandon();
  bool is_under_way() const { return state_ == State::Body || state_ == State::Answering; }
  size_t take(std::span<char> bytes);
  void consume(std::span<char> bytes);
  void watch(bool reads, bool writes);

  // What all clients share (connection_shares.cc)
  size_t held_bytes() const;
  bool count_held();
  void count_held(size_t bytes);
  void refuse_incoming();
  void count_unread();

  // HTTP (connection_http.cc)
  size_t take_proxy(std::span<char> bytes);
  size_t take_head(std::span<char> bytes);
  size_t take_body(std::span<char> bytes);
  size_t take_chunks(std::span<char> bytes);
  bool offer(const HttpHead& head, std::span<const char> rest, bool& waits);
  void say_continue(const HttpHead& head);
  void await_body(uint64_t came);
  void body_is_whole();
  void tell_request(const HttpHead& head, std::span<const char> body, uint32_t flags);
  void tell_body(std::span<const char> piece, bool is_last);
  void refuse(int status, std::string_view text);
  void refuse_in_shape(int status, std::string_view code, std::string_view text);
  void refuse_with(int status, std::string_view body);
  void write_head(std::string_view head, std::string_view framing, bool closes);
  void answered(bool closes);

  // WebSocket (connection_ws.cc)
  size_t take_frames(std::span<char> bytes);
  void take_frame(const FrameHead& head, std::span<std::byte> payload);
  void take_control(Opcode opcode, std::span<std::byte> payload);
  void deliver(Opcode opcode, FramePayload& payload);
  void fail(unsigned code, std::string_view reason);
  void tell_closed(unsigned code, std::span<const std::byte> reason);
  void tick_web_socket(Nanos now);

  void mark_dirty();
  void mark_resuming();

  IoThread& io_;
  const uint64_t id_;
  UniqueFd fd_;
  std::string address_;
  std::string proxied_;  // the source of a PROXY header, in hexadecimal
  State state_ = State::Head;

  std::vector<char> pending_;  // what came and was not consumed
  Output out_;

  // What is watched for at the poller, and why.
  bool reads_ = true;
  bool writes_ = false;
  bool paused_ = false;
  size_t unacknowledged_ = 0;  // bytes in events that JavaScript has not read yet
  bool is_throttled_ = false;  // because of them

  // The request under way.
  RequestHandler* handler_ = nullptr;  // null: JavaScript answers
  bool keep_alive_ = true;
  bool is_head_method_ = false;
  bool is_http10_ = false;
  bool tell_sent_ = false;
  bool in_head_ = false;    // a part of a head has come
  bool continued_ = false;  // 100 Continue was sent
  bool body_is_chunked_ = false;
  uint64_t body_left_ = 0;
  ChunkedBody chunks_;
  std::string accept_key_;  // of a handshake; empty where there is none

  // The WebSocket.
  WebSocketLimits limits_;
  std::unique_ptr<FrameHandler> frames_;
  std::vector<std::byte> message_;                // the fragments of a message that have come
  Opcode message_opcode_ = Opcode::continuation;  // continuation: none is under way
  bool told_closed_ = false;
  bool pinged_ = false;

  Nanos last_input_;               // when bytes last came, or the connection
  bool has_asked_ = false;         // its first request has come
  Nanos deadline_ = 0;             // of the state; 0: none
  Nanos body_began_ = 0;           // when the first piece of a body that is not whole yet had come; 0: there is none
  uint64_t body_came_ = 0;         // bytes of the body of the request under way
  size_t counted_incoming_ = 0;    // of ServerShared::incoming
  size_t counted_unread_ = 0;      // of ServerShared::unread
  bool waits_for_reader_ = false;  // its next request is there, and is told of when the thread is not behind any more
  bool is_v2_ = false;             // the request under way is one of V2, whose errors have a shape of their own
  Nanos stalled_since_ = 0;        // see stalled_since()
};

}  // namespace headrace
