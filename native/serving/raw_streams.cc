#include "raw_streams.h"

#include <array>
#include <cstring>

#include "connection.h"
#include "io_thread.h"
#include "status.h"
#include "stream_error.h"

namespace headrace {
namespace {

// In front of raw frames and answers where a connection has several streams: a u32, little-endian.
constexpr size_t kNumberBytes = 4;

uint32_t number_of(const FramePayload& frame) {
  std::array<std::byte, kNumberBytes> bytes;
  frame.mask().copy(bytes.data(), frame.masked().data(), bytes.size());
  uint32_t number = 0;
  for (size_t i = 0; i < kNumberBytes; ++i) number |= std::to_integer<uint32_t>(bytes[i]) << 8 * i;
  return number;
}

void put_number(std::byte* to, uint32_t number) {
  for (size_t i = 0; i < kNumberBytes; ++i) to[i] = static_cast<std::byte>(number >> 8 * i & 0xFF);
}

}  // namespace

// The steps of one state id. Steps of a state id complete in order, so its answers do.
class RawStreams::Stream final : public StepSink {
 public:
  Stream(RawStreams& owner, uint32_t number, uint32_t key, bool owns_state)
      : owner_(owner), number_(number), key_(key), owns_state_(owns_state) {}

  // Where its answers go, known from the first frame on.
  Connection* connection = nullptr;
  uint32_t in_flight = 0;

  uint32_t key() const { return key_; }
  bool owns_state() const { return owns_state_; }

  void completed(const Completion& completion) override {
    --in_flight;
    ModelClient& client = *owner_.client_;
    if (client.is_tapped(key_)) client.tell_tapped(*connection, key_, completion);
    if (completion.code == Code::Ok) {
      std::byte* room = connection->reserve(Opcode::binary, owner_.number_bytes_ + client.output_bytes());
      if (owner_.number_bytes_ > 0) put_number(room, number_);
      client.copy_outputs(completion, room + owner_.number_bytes_);
    } else {
      fail(completion);
    }
    owner_.answered(*connection);
  }

 private:
  void fail(const Completion& completion) {
    const std::string text = stream_error(completion.code, owner_.client_->scheduler().error_of(completion.request),
                                          owner_.number_bytes_ > 0 ? static_cast<int64_t>(number_) : -1);
    connection->send(Opcode::text, std::as_bytes(std::span(text)));
  }

  RawStreams& owner_;
  const uint32_t number_;
  const uint32_t key_;
  const bool owns_state_;
};

RawStreams::RawStreams(std::shared_ptr<ModelClient> client, RawOptions options)
    : client_(std::move(client)), options_(std::move(options)), number_bytes_(options_.streams > 0 ? kNumberBytes : 0) {
  if (options_.streams == 0) open(0, options_.base, options_.owns_state);
}

RawStreams::~RawStreams() = default;

void RawStreams::message(Connection& connection, Opcode opcode, FramePayload& payload) {
  // A frame that comes after the one that is held is not read: the connection is paused.
  if (is_held_) bug("a raw stream got a frame while it was paused");
  if (opcode == Opcode::binary && take(connection, payload) == Code::Ok) {
    ++in_flight_;
    if (in_flight_ < options_.max_in_flight) return;
    is_full_ = true;
    connection.pause();
    return;
  }
  hold(connection, opcode, payload.unmasked());
}

Code RawStreams::take(Connection& connection, const FramePayload& payload) {
  const std::byte* data = payload.masked().data();
  if (number_bytes_ == 0) return step(connection, *streams_.front(), {data, payload.size(), payload.mask()});
  if (payload.size() <= number_bytes_) return Code::InvalidArgument;
  const uint32_t number = number_of(payload);
  if (number >= streams_.size() || !streams_[number]) return Code::NotFound;
  return step(connection, *streams_[number],
              {data + number_bytes_, payload.size() - number_bytes_, payload.mask().from(number_bytes_)});
}

Code RawStreams::step(Connection& connection, Stream& stream, const InputBytes& row) {
  stream.connection = &connection;
  StepSpec spec;
  spec.state = stream.key();
  spec.submitted = connection.io().now();
  const Code code = client_->submit_row(stream, spec, row);
  if (code == Code::Ok) ++stream.in_flight;
  return code;
}

bool RawStreams::open(uint32_t number, std::string_view state_id, bool owns_state) {
  if (number >= std::max<uint32_t>(1, options_.streams)) return false;
  if (number >= streams_.size()) streams_.resize(number + 1);
  if (streams_[number]) return false;
  streams_[number] = std::make_unique<Stream>(*this, number, client_->scheduler().pin(state_id), owns_state);
  return true;
}

bool RawStreams::close(uint32_t number, bool drops_state) {
  if (number >= streams_.size() || !streams_[number]) return false;
  end_stream(std::move(streams_[number]), drops_state);
  return true;
}

void RawStreams::end_stream(std::unique_ptr<Stream> stream, bool drops_state) {
  if (stream->in_flight > 0) client_->forget(*stream);
  if (drops_state || stream->owns_state()) client_->scheduler().drop_state(stream->key());
  client_->scheduler().unpin(stream->key());
}

void RawStreams::answered(Connection& connection) {
  --in_flight_;
  if (in_flight_ == 0 || is_full_) settle(connection);
}

// Something that frames in flight stood in the way of may be possible now.
void RawStreams::settle(Connection& connection) {
  if (is_closed_) return;
  if (in_flight_ == 0 && is_held_ && !is_told_) return tell_held(connection);
  if (in_flight_ == 0 && is_leaving_ && !is_held_) return connection.end(1001, kStopping);
  if (is_held_ || is_leaving_ || is_slow_) return;
  // Half of what may be in flight, so that it does not stop and go with each frame.
  if (!is_full_ || in_flight_ > options_.max_in_flight / 2) return;
  is_full_ = false;
  connection.resume();
}

void RawStreams::hold(Connection& connection, Opcode opcode, std::span<const std::byte> payload) {
  held_.assign(payload.begin(), payload.end());
  held_opcode_ = opcode;
  is_held_ = true;
  is_told_ = false;
  connection.pause();
  if (in_flight_ == 0) tell_held(connection);
}

void RawStreams::tell_held(Connection& connection) {
  is_told_ = true;
  const Event event{.kind = EventKind::Control,
                    .connection = connection.id(),
                    .body_bytes = static_cast<uint32_t>(held_.size()),
                    .flags = held_opcode_ == Opcode::binary ? event_flags::kBinary : 0};
  std::byte* room = connection.io().tell(event, held_.size());
  if (!held_.empty()) std::memcpy(room, held_.data(), held_.size());
}

void RawStreams::reply(Connection& connection, Opcode opcode, std::span<const std::byte> payload) {
  if (!is_told_) return;
  connection.send(opcode, payload);
  is_held_ = false;
  is_told_ = false;
  if (is_leaving_) return settle(connection);
  if (!is_slow_) connection.resume();
}

void RawStreams::drained(Connection& connection) {
  if (!is_slow_) return;
  is_slow_ = false;
  if (!is_held_ && !is_full_ && !is_leaving_)
    connection.resume();
  else
    settle(connection);
}

// Whoever does not read is not read from either: there are no more answers than there may be frames in flight.
void RawStreams::overflowing(Connection& connection) {
  is_slow_ = true;
  connection.pause();
}

void RawStreams::go_away(Connection& connection) {
  is_leaving_ = true;
  connection.pause();
  settle(connection);
}

void RawStreams::closed(Connection& connection, unsigned code, std::span<const std::byte> reason) {
  is_closed_ = true;
  for (auto& stream : streams_) {
    if (stream) end_stream(std::move(stream), false);
  }
  Event event{
      .kind = EventKind::Closed, .connection = connection.id(), .body_bytes = static_cast<uint32_t>(reason.size())};
  event.extra[0] = code;
  std::byte* room = connection.io().tell(event, reason.size());
  if (!reason.empty()) std::memcpy(room, reason.data(), reason.size());
}

}  // namespace headrace
