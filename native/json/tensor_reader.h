// The elements of one tensor: from `data`, flat or nested as the shape says, to the bytes of the binary form.
#pragma once

#include <optional>
#include <vector>

#include "datatype.h"
#include "problem.h"
#include "scratch.h"

namespace headrace::json {

struct TensorForm {
  Datatype datatype = Datatype::Fp32;
  std::vector<uint64_t> shape;
  uint64_t count = 0;  // of elements: the product of the shape

  bool operator==(const TensorForm&) const = default;
};

// Appends the elements of the value at `p` to `scratch`: little-endian and row-major; those of BYTES each with its
// length before it. Returns the end of the value, or null where it is not a value of that form, whatever it is;
// `scratch` then has bytes that mean nothing. `begin` is that of the readable memory around `p`.
const char* read_tensor(const TensorForm& form, const char* begin, const char* p, const char* end, Scratch& scratch);

// Why the value at `p`, which is JSON (numbers may be NaN and infinite), is not of that form. `path` is its own.
Problem explain_tensor(const TensorForm& form, const char* p, const char* end, const std::string& path);

}  // namespace headrace::json
