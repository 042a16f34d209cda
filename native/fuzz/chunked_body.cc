// A body in chunks is the same however it is cut.
#include "chunked_body.h"

#include <string>

#include "pieces.h"
#include "property.h"

namespace headrace::fuzz {
namespace {

struct Outcome {
  ChunkedBody body;
  Parse parse = Parse::incomplete;
  std::string data;
  size_t consumed = 0;
};

// Whether it goes on.
bool feed(Outcome& outcome, std::span<const char> in) {
  while (!in.empty() && outcome.parse == Parse::incomplete) {
    size_t consumed = 0;
    std::span<const char> data;
    outcome.parse = outcome.body.next(in, consumed, data);
    demand(consumed <= in.size() && (consumed > 0 || outcome.parse == Parse::bad), "something is consumed");
    demand(data.empty() || (data.data() >= in.data() && data.data() + data.size() <= in.data() + consumed), "within");
    demand(data.empty() || outcome.parse == Parse::incomplete, "no data at the end");
    outcome.data.append(data.begin(), data.end());
    outcome.consumed += consumed;
    in = in.subspan(consumed);
  }
  return outcome.parse == Parse::incomplete;
}

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  using namespace headrace::fuzz;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size - 1);
  Outcome whole;
  const std::vector<char> bytes = copy_of(text);
  feed(whole, bytes);
  Outcome pieces;
  each_piece(text, data[size - 1], [&](std::span<const char> piece) { return feed(pieces, piece); });
  demand(whole.parse == pieces.parse, "the same outcome");
  demand(whole.data == pieces.data, "the same data");
  demand(whole.parse != Parse::complete || whole.consumed == pieces.consumed, "the same end");
  demand(whole.body.problem().text == pieces.body.problem().text, "the same problem");
  demand((whole.parse == Parse::bad) == (whole.body.problem().status >= 400), "a status of what is bad only");
  return 0;
}
