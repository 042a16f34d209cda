// The little JSON that the measuring programs print: one flat object per line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::bench {

class JsonObject {
 public:
  JsonObject& number(std::string_view name, double value);
  JsonObject& count(std::string_view name, std::uint64_t value);
  JsonObject& boolean(std::string_view name, bool value);
  JsonObject& string(std::string_view name, std::string_view value);
  /// `json` is a complete JSON value.
  JsonObject& raw(std::string_view name, std::string_view json);

  std::string text() const { return "{" + members_ + "}"; }
  /// What is between the braces.
  const std::string& members() const { return members_; }

 private:
  std::string members_;
};

/// With three digits behind the point; "null" for what is no number of JSON.
std::string decimal(double value);

/// `text` as a JSON string, quotes included. Bytes that are not printable ASCII become '?': server text ends up here,
/// and it need not be valid UTF-8.
std::string quoted(std::string_view text);

}  // namespace headrace::bench
