#include "json_text.h"

#include <charconv>
#include <cmath>

namespace headrace::bench {

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  if (!members_.empty()) members_ += ',';
  members_ += quoted(name);
  members_ += ':';
  members_ += json;
  return *this;
}

JsonObject& JsonObject::number(std::string_view name, double value) { return raw(name, decimal(value)); }

JsonObject& JsonObject::count(std::string_view name, std::uint64_t value) { return raw(name, std::to_string(value)); }

JsonObject& JsonObject::boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }

JsonObject& JsonObject::string(std::string_view name, std::string_view value) { return raw(name, quoted(value)); }

std::string decimal(double value) {
  char digits[64];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, 3);
  return error == std::errc{} && std::isfinite(value) ? std::string(digits, end) : "null";
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else {
      out += c >= ' ' && c <= '~' ? c : '?';
    }
  }
  return out + '"';
}

}  // namespace headrace::bench
