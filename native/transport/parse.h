// What the parsers of the transport have in common. They are functions over the bytes that came so far: they know no
// socket, keep no bytes, and allocate nothing for a message that is like the ones before.
#pragma once

#include <string_view>

namespace headrace {

enum class Parse {
  incomplete,  // right so far: call again when there are more bytes
  complete,
  bad,  // no bytes that may follow would make it right
};

// Why a request was refused: the status to answer with and words for its sender.
struct HttpProblem {
  int status = 0;
  std::string_view text;  // static
};

}  // namespace headrace
