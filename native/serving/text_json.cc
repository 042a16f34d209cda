#include "text_json.h"

#include "tensor_writer.h"
#include "text.h"

namespace headrace {
namespace {

std::string repaired(std::string_view text) {
  std::string good;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p != end) {
    const int length = (*p & 0x80) == 0 ? 1 : json::utf8_length(p, end);
    if (length > 0)
      good.append(p, static_cast<size_t>(length));
    else
      good.append("\xEF\xBF\xBD");
    p += length > 0 ? length : 1;
  }
  return good;
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string written(json::most_text(text), '\0');
  const char* const end = json::write_string(text, written.data());
  if (end == nullptr) return json_text(repaired(text));
  written.resize(static_cast<size_t>(end - written.data()));
  return written;
}

}  // namespace headrace
