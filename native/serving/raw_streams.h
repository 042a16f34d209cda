// A raw WebSocket (docs/stream-protocol.md) of a model with state: frames are the bytes of the model's single input,
// and go from the socket into a batch, answers are those of its outputs, and go from the batch to the socket.
//
// What is not an ordinary frame is JavaScript's: texts, frames that the engine refuses, numbers that no stream has yet.
// Such a frame waits until all frames before it are answered, is told as EventKind::Control, and nothing is read until
// JavaScript has answered it (reply). So all answers come in order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "handlers.h"
#include "model_client.h"

namespace headrace {

// What JavaScript has decided about a connection.
struct RawOptions {
  // The state id of its stream; of numbered streams what comes before "/" and their number.
  std::string base;
  uint32_t streams = 0;     // how many share it, each frame with its stream's number in front; 0: one, without number
  bool owns_state = false;  // states end with it: nobody else can name them
  uint32_t max_in_flight = 1024;
};

class RawStreams final : public FrameHandler {
 public:
  RawStreams(std::shared_ptr<ModelClient> client, RawOptions options);
  ~RawStreams() override;

  void message(Connection& connection, Opcode opcode, FramePayload& payload) override;
  void drained(Connection& connection) override;
  void overflowing(Connection& connection) override;
  void closed(Connection& connection, unsigned code, std::span<const std::byte> reason) override;

  // JavaScript's answer to the frame that it was told of; reading goes on.
  void reply(Connection& connection, Opcode opcode, std::span<const std::byte> payload);
  // A number stands for a state id from now on, or for none. False: it is open, or was not.
  bool open(uint32_t number, std::string_view state_id, bool owns_state);
  bool close(uint32_t number, bool drops_state);
  // Ends the connection once all frames are answered.
  void go_away(Connection& connection);

  size_t in_flight() const { return in_flight_; }

 private:
  class Stream;

  Code take(Connection& connection, const FramePayload& payload);
  Code step(Connection& connection, Stream& stream, const InputBytes& row);
  void answered(Connection& connection);
  void hold(Connection& connection, Opcode opcode, std::span<const std::byte> payload);
  void tell_held(Connection& connection);
  void end_stream(std::unique_ptr<Stream> stream, bool drops_state);
  void settle(Connection& connection);

  const std::shared_ptr<ModelClient> client_;
  const RawOptions options_;
  const size_t number_bytes_;
  std::vector<std::unique_ptr<Stream>> streams_;  // by number, as far as any was opened
  size_t in_flight_ = 0;
  std::vector<std::byte> held_;  // the frame that is, or will be, JavaScript's
  Opcode held_opcode_ = Opcode::continuation;
  bool is_held_ = false;
  bool is_told_ = false;
  bool is_full_ = false;  // as many frames in flight as there may be
  bool is_slow_ = false;  // too many answers unread
  bool is_leaving_ = false;
  bool is_closed_ = false;
};

}  // namespace headrace
