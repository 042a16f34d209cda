// Requests that another program has written, as the body of each step with a gap for the name of its sequence.
//
// The file, all numbers u32 little-endian:
//
//   "HRQ1"
//   what the gap takes: 0 nothing, 1 ten decimal digits, 2 a varint of five bytes, 3 a u32
//   forms of a step: 1, or 4: first of its sequence, neither, last, and both
//   steps
//   for each step and each of its forms: size in bytes, where the gap is, the bytes
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace headrace::bench {

struct RequestBody {
  std::size_t gap = 0;
  std::string bytes;
};

enum class Gap : std::uint32_t { none, digits, varint, number };

struct RequestFile {
  Gap gap = Gap::none;
  std::uint32_t forms = 1;
  std::vector<RequestBody> bodies;  // by step, then form

  std::size_t steps() const { return bodies.size() / forms; }
};

/// Throws std::runtime_error where there is no such file, or it is of another form.
RequestFile readRequestFile(const std::string& path);

/// What goes into a gap for sequence `number`, of the size that the gap has. Digits and varints begin at 10^9, so that
/// they all have one size.
std::string gapText(Gap gap, std::uint64_t number);

}  // namespace headrace::bench
