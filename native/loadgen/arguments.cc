#include "arguments.h"

#include <charconv>

namespace headrace::bench {

namespace {

template <typename Number>
Number parse(std::string_view name, const std::string& text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number < 0) {
    throw UsageError("--" + std::string(name) + " wants a number >= 0, not \"" + text + "\"");
  }
  return number;
}

}  // namespace

Arguments::Arguments(std::span<const char* const> argv, const std::set<std::string_view>& known) {
  for (std::size_t i = 0; i < argv.size(); i += 2) {
    const std::string_view option = argv[i];
    if (!option.starts_with("--") || !known.contains(option.substr(2))) {
      throw UsageError("unknown option " + std::string(option));
    }
    if (i + 1 == argv.size()) throw UsageError(std::string(option) + " wants a value");
    values_.insert_or_assign(std::string(option.substr(2)), argv[i + 1]);
  }
}

const std::string& Arguments::text(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) throw UsageError("--" + std::string(name) + " is missing");
  return found->second;
}

std::string Arguments::text(std::string_view name, std::string_view fallback) const {
  return has(name) ? text(name) : std::string(fallback);
}

unsigned long Arguments::whole(std::string_view name) const { return parse<unsigned long>(name, text(name)); }

unsigned long Arguments::whole(std::string_view name, unsigned long fallback) const {
  return has(name) ? whole(name) : fallback;
}

double Arguments::seconds(std::string_view name, double fallback) const {
  return has(name) ? parse<double>(name, text(name)) : fallback;
}

double Arguments::positive(std::string_view name) const {
  const auto number = parse<double>(name, text(name));
  if (number == 0) throw UsageError("--" + std::string(name) + " is above 0");
  return number;
}

}  // namespace headrace::bench
