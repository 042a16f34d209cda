// Strings and white space of JSON.
#pragma once

#include <string>
#include <string_view>

namespace headrace::json {

inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

inline const char* skip_space(const char* p, const char* end) {
  while (p != end && is_space(*p)) ++p;
  return p;
}

// Past the closing quote of the string whose first quote is at `p`, or null where it is none: a control character, an
// escape that JSON has not, bytes that are not UTF-8, no end. `wrong` then says where.
const char* skip_string(const char* p, const char* end, const char*& wrong);

// Writes the text of a string that `skip_string` accepted, `begin` to `end` with its quotes, as UTF-8. Needs at most as
// many bytes as the string has. Returns the end, or null where half a surrogate pair is in it: that has no UTF-8.
char* write_text(const char* begin, const char* end, char* out);

// The same as a string; empty for half a pair.
std::string text_of(const char* begin, const char* end);

// The bytes of the UTF-8 sequence at `p`, or 0 where it is none. Not for ASCII.
int utf8_length(const char* p, const char* end);

// Whether the bytes are UTF-8 from end to end.
bool is_utf8(std::string_view bytes);

}  // namespace headrace::json
