#include "http_template.h"

#include <algorithm>

#include "arguments.h"
#include "little_endian.h"

namespace headrace::bench {

namespace {

std::string filling(std::string_view name, const TemplateValues& values) {
  if (name == "id") return std::to_string(values.stream);
  if (name == "id-u32") return littleEndian(values.stream, 4);
  if (name == "id-i64") return littleEndian(values.stream, 8);
  if (name == "list") return std::string(values.list);
  if (name == "tensor") return std::string(values.tensor);
  throw UsageError("--body has a gap {{" + std::string(name) + "}}; there are id, id-u32, id-i64, list and tensor");
}

}  // namespace

std::string fillTemplate(std::string_view text, const TemplateValues& values) {
  std::string filled;
  for (std::size_t open = text.find("{{"); open != std::string_view::npos; open = text.find("{{")) {
    const std::size_t close = text.find("}}", open);
    if (close == std::string_view::npos) throw UsageError("--body has a gap {{ without its }}");
    filled += text.substr(0, open);
    filled += filling(text.substr(open + 2, close - open - 2), values);
    text.remove_prefix(close + 2);
  }
  return filled += text;
}

std::string headerLines(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines += text.substr(0, end);
    lines += "\r\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace headrace::bench
