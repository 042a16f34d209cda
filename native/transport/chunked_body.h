// A body in chunks (RFC 9112, 7.1), taken apart as it comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "parse.h"

namespace headrace {

// Of one body; give it a new one by assigning `ChunkedBody{}`.
class ChunkedBody {
 public:
  static constexpr size_t kMaxExtensionBytes = 16384;  // of all chunks of a body together
  static constexpr size_t kMaxTrailerBytes = 16384;

  // Takes the next `consumed` bytes of `in`, which have at most one piece of the body in them: `data`, a view into
  // `in`, perhaps empty. `complete` means that the body has ended (with `consumed`, and without data). `incomplete`
  // means that it goes on: call again with what is left of `in`, if anything is, otherwise when more has come.
  // Something is consumed wherever there is something and it is not bad.
  Parse next(std::span<const char> in, size_t& consumed, std::span<const char>& data);

  // What was wrong, after `bad`; it stays bad.
  const HttpProblem& problem() const { return problem_; }

 private:
  // What the next byte belongs to.
  enum class At : uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,  // the beginning of a line of it, or the last line end
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
    end,
    bad,
  };

  At after(char c);
  At after_size(char c);
  At after_extension(char c);
  At after_trailer(char c);
  At refuse(int status, std::string_view text);

  At at_ = At::size;
  unsigned digits_ = 0;  // of the size that is being read
  uint64_t left_ = 0;    // of the chunk, or what was read of its size
  size_t extension_bytes_ = 0;
  size_t trailer_bytes_ = 0;
  HttpProblem problem_;
};

}  // namespace headrace
