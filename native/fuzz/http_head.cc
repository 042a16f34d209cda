// A head means the same however much of it came first, and what it means lies within it.
#include "http_head.h"

#include "pieces.h"
#include "property.h"

namespace headrace::fuzz {
namespace {

struct Outcome {
  std::vector<char> bytes;
  HttpHead head;
  Parse parse = Parse::bad;
  size_t consumed = 0;
  HttpProblem problem;
};

Outcome read(std::vector<char> bytes) {
  Outcome outcome;
  outcome.bytes = std::move(bytes);
  outcome.parse = parse_http_head(outcome.bytes, outcome.head, outcome.consumed, outcome.problem);
  return outcome;
}

bool is_within(std::string_view part, const Outcome& whole) {
  const std::less_equal<const char*> before;
  return part.empty() || part == "/" || part == "*" ||
         (before(whole.bytes.data(), part.data()) &&
          before(part.data() + part.size(), whole.bytes.data() + whole.consumed));
}

void check_complete(const Outcome& whole) {
  const HttpHead& head = whole.head;
  demand(whole.consumed > 0 && whole.consumed <= std::min(whole.bytes.size(), kMaxHeadBytes), "a length that can be");
  demand(head.path.starts_with('/') || head.path == "*", "a path");
  demand(head.minor == 0 || head.field("host").data() != nullptr, "a host");
  demand(!head.chunked || !head.content_length.has_value(), "one length");
  for (const std::string_view part : {head.method, head.path, head.query}) demand(is_within(part, whole), "within");
  for (const HeaderField& field : head.fields) {
    demand(!field.name.empty() && is_within(field.name, whole) && is_within(field.value, whole), "fields within");
    for (const char c : field.name) demand(c < 'A' || c > 'Z', "a name in lower case");
    for (const char c : field.value) demand(c != '\r' && c != '\n' && c != '\0', "no control character");
  }
}

void check_prefix(const Outcome& whole, size_t size) {
  const Outcome part = read({whole.bytes.begin(), whole.bytes.begin() + static_cast<std::ptrdiff_t>(size)});
  if (whole.parse == Parse::complete && size >= whole.consumed) {
    demand(part.parse == Parse::complete && part.consumed == whole.consumed, "what follows does not count");
  } else if (whole.parse == Parse::bad) {
    demand(part.parse != Parse::complete, "no part of what is bad is complete");
    demand(part.parse != Parse::bad || part.problem.status == whole.problem.status, "bad for the same reason");
  } else {
    demand(part.parse == Parse::incomplete, "a part of what is not bad is incomplete");
  }
}

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  using namespace headrace::fuzz;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Outcome whole = read(copy_of(text));
  demand((whole.parse == Parse::complete) == (whole.consumed != 0), "a length of what is complete only");
  demand((whole.parse == Parse::bad) == (whole.problem.status >= 400), "a status of what is bad only");
  if (whole.parse == Parse::complete) check_complete(whole);
  // Also over names that are in lower case by now.
  check_prefix(whole, size);
  if (size == 0) return 0;
  for (const size_t cut : {size / 2, size - 1, text.size() * data[size / 2] / 256}) check_prefix(whole, cut);
  if (whole.parse == Parse::complete) check_prefix(whole, whole.consumed - 1);
  return 0;
}
