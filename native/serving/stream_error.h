// Errors of steps as a client of a stream is told of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "status.h"

namespace headrace {

// What a code means to whoever submitted a step, in JavaScript or over the network. `detail` is what the model said
// where it failed.
std::string step_error_message(Code code, std::string_view detail);

// The text frame in the place of an answer that failed (docs/stream-protocol.md). `stream`: its number; below 0: none.
std::string stream_error(Code code, std::string_view detail, int64_t stream);

}  // namespace headrace
