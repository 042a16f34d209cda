// The JSON of infer requests: what is read of any body is bounded by it, and a header is read the same again.
#include <string>

#include "grammar.h"
#include "infer_header.h"
#include "infer_reader.h"
#include "pieces.h"
#include "property.h"

namespace headrace::fuzz {
namespace {

bool is_json(std::string_view text) {
  json::Grammar grammar(text.data(), text.data() + text.size());
  const char* const after = grammar.skip_value(grammar.space(text.data()), 0);
  return after != nullptr && grammar.space(after) == grammar.end();
}

bool is_within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_header(std::string_view text) {
  const std::vector<char> copy = copy_of(text);
  const std::string_view own(copy.data(), copy.size());
  InferHeader header;
  if (!read_infer_header(own, header)) return;
  demand(is_json(own), "what is understood is JSON");
  demand(is_within(header.sequence_id, own), "a sequence id within");
  demand(!header.id || is_within(*header.id, own), "an id within");
  for (const InferHeader::Input& input : header.inputs) demand(is_within(input.name, own), "inputs within");
  for (const InferHeader::Output& output : header.outputs) demand(is_within(output.name, own), "outputs within");
}

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  using namespace headrace::fuzz;
  static json::InferReader reader;  // the one before must not shine through
  const std::vector<char> body = copy_of({reinterpret_cast<const char*>(data), size});
  const std::string_view text(body.data(), body.size());
  check_header(text);
  if (!reader.read(text)) {
    demand(reader.problem().has_value(), "a problem of what is no JSON");
    return 0;
  }
  const std::string header = reader.header();
  demand(is_json(header), "a header is JSON");
  demand(reader.data().bytes().size() <= 8 * size, "no more bytes than elements could have");
  check_header(header);
  return 0;
}
