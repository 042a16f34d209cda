// Tensors as JSON: flat arrays whose numbers give the same elements when they are read again.
#pragma once

#include <cstddef>
#include <string_view>

#include "datatype.h"

namespace headrace::json {

// Characters that `write_tensor` needs at most. Not for BYTES.
constexpr size_t most_text(Datatype datatype, size_t count) { return 2 + count * info_of(datatype).most_text; }

// Writes `count` elements from their little-endian bytes, at any alignment: the shortest digits that are read as the
// same FP32 or FP64 (the others exactly), NaN, Infinity and -Infinity as Triton writes them. Returns the end. Not for
// BYTES.
char* write_tensor(Datatype datatype, const std::byte* bytes, size_t count, char* out);

// Characters that `write_string` needs at most.
constexpr size_t most_text(std::string_view bytes) { return 2 + 6 * bytes.size(); }

// Writes a string. Returns its end, or null where the bytes are no UTF-8.
char* write_string(std::string_view bytes, char* out);

}  // namespace headrace::json
