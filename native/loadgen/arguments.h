// Command lines of the form `--name value`. Unknown names and missing values are errors: a benchmark that ignores a
// misspelt option measures something else than it says.
#pragma once

#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace headrace::bench {

/// The command line cannot be used; the message says why.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Arguments {
 public:
  /// `argv` without the program's name. Throws UsageError.
  Arguments(std::span<const char* const> argv, const std::set<std::string_view>& known);

  /// The value of a required option. Throws UsageError when it is missing.
  const std::string& text(std::string_view name) const;
  std::string text(std::string_view name, std::string_view fallback) const;

  /// Whole numbers and seconds are never negative here. Throws UsageError on anything else.
  unsigned long whole(std::string_view name) const;
  unsigned long whole(std::string_view name, unsigned long fallback) const;
  double seconds(std::string_view name, double fallback) const;
  double positive(std::string_view name) const;

 private:
  bool has(std::string_view name) const { return values_.contains(name); }

  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace headrace::bench
