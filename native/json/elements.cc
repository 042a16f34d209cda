#include "elements.h"

#include <string>
#include <string_view>

#include "grammar.h"
#include "text.h"

namespace headrace::json {
namespace {

const char* read_boolean(const char* p, const char* end, std::byte* out) {
  const std::string_view rest(p, static_cast<size_t>(end - p));
  const bool value = rest.starts_with("true");
  if (!value && !rest.starts_with("false")) return nullptr;
  store(out, static_cast<uint8_t>(value));
  return p + (value ? 4 : 5);
}

// At most 20 digits, so that no text of megabytes is looked at as a number.
const char* read_integer_text(Datatype datatype, const std::string& text, const char* after, std::byte* out) {
  const size_t digits = text.size() - (text.starts_with('-') ? 1 : 0);
  if (digits < 1 || digits > 20 || text.find_first_not_of("0123456789", text.size() - digits) != std::string::npos) {
    return nullptr;
  }
  Decimal number;
  number.negative = text.starts_with('-');
  number.exact = false;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const bool fits = datatype == Datatype::Int64 ? store_number<Datatype::Int64>(number, begin, end, out)
                                                : store_number<Datatype::Uint64>(number, begin, end, out);
  return fits ? after : nullptr;
}

// The value is meant, so it is stored whatever `store_double` says of it.
void store_nonfinite(Datatype datatype, double value, std::byte* out) {
  with_datatype(datatype, [&]<Datatype D>() {
    if constexpr (is_float(D)) store_double<D>(value, out);
  });
}

const char* read_nonfinite_text(Datatype datatype, const std::string& text, const char* after, std::byte* out) {
  if (text != "NaN" && text != "Infinity" && text != "-Infinity") return nullptr;
  double value = 0;
  skip_nonfinite(text.data(), text.data() + text.size(), value);
  store_nonfinite(datatype, value, out);
  return after;
}

}  // namespace

const char* read_word(Datatype datatype, const char* p, const char* end, std::byte* out) {
  if (p == end) return nullptr;
  if (datatype == Datatype::Bool) return read_boolean(p, end, out);
  const bool takes_integer_text = datatype == Datatype::Int64 || datatype == Datatype::Uint64;
  if (!is_float(datatype) && !takes_integer_text) return nullptr;
  if (*p == '"') {
    const char* wrong = nullptr;
    const char* const after = skip_string(p, end, wrong);
    if (after == nullptr) return nullptr;
    // Nothing that is accepted is longer, written as escapes.
    constexpr std::ptrdiff_t kLongest = 6 * 21 + 2;
    const std::string text = after - p > kLongest ? "" : text_of(p, after);
    return takes_integer_text ? read_integer_text(datatype, text, after, out)
                              : read_nonfinite_text(datatype, text, after, out);
  }
  double value = 0;
  const char* const after = takes_integer_text ? nullptr : skip_nonfinite(p, end, value);
  if (after != nullptr) store_nonfinite(datatype, value, out);
  return after;
}

}  // namespace headrace::json
