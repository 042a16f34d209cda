// Requests of any shape, for servers with a protocol of their own: a body with gaps where the stream and its input go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::bench {

/// What the gaps of a template are filled with.
struct TemplateValues {
  std::uint32_t stream;
  std::string_view list;    // the input as JSON
  std::string_view tensor;  // the input as bytes
};

/// Fills `{{id}}` (the stream in digits), `{{id-u32}}`, `{{id-i64}}` (its little-endian bytes), `{{list}}` and
/// `{{tensor}}`. Throws UsageError for a gap of another name or one that does not end.
std::string fillTemplate(std::string_view text, const TemplateValues& values);

/// Header lines as HTTP wants them from lines that end as those of a shell do.
std::string headerLines(std::string_view text);

}  // namespace headrace::bench
