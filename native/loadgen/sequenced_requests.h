// The requests of a file, one sequence after the other in each slot.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "grpc.h"
#include "request_file.h"
#include "request_source.h"

namespace headrace::bench {

enum class Framing { none, webSocket, grpc };

struct SequenceOptions {
  Framing framing = Framing::none;
  std::string host;  // for gRPC's headers, as are these, lines of `name: value`
  std::string headers;
  Scheme scheme = Scheme::http;  // for gRPC's headers too
  /// A sequence has a random number of steps between these. 0: it never ends.
  std::uint32_t minLength = 0;
  std::uint32_t maxLength = 0;
  std::uint32_t seed = 1;
  /// The gap is for the number of the stream in its connection, slot / `connections`, which stays; and a frame that is
  /// nothing but the number ends a sequence.
  bool numbered = false;
  std::size_t connections = 1;
};

/// Begins each slot at another step of the file. Where sequences have lengths, a slot's first one is cut short at
/// random, so that not all of them end together.
class SequencedRequests final : public RequestSource {
 public:
  SequencedRequests(const RequestFile& file, SequenceOptions options, std::size_t slots);

  void append(std::size_t slot, std::string& out) override;

 private:
  struct Slot {
    std::size_t step = 0;        // of the file
    std::uint64_t sequence = 0;  // its name
    std::uint32_t done = 0;      // steps of the sequence
    std::uint32_t length = 0;
  };

  std::uint32_t randomLength();
  void frameAll(const RequestFile& file);

  SequenceOptions options_;
  Gap gap_;
  std::uint32_t forms_;
  std::vector<RequestBody> framed_;
  std::vector<Slot> slots_;
  std::uint64_t nextSequence_;
  std::mt19937 random_;
};

}  // namespace headrace::bench
