// The grammar of JSON (RFC 8259), checked without making values of it.
#pragma once

#include <optional>
#include <string>

#include "problem.h"

namespace headrace::json {

// Deep enough for any tensor, low enough for any stack.
inline constexpr int kMaxDepth = 64;

// The tokens that stand for what JSON has no number for, as Triton reads them: NaN, Infinity, Inf, each also negative.
// Returns the end of the one at `p` and its value, or null.
const char* skip_nonfinite(const char* p, const char* end, double& value);

// Walks over values; one that is none is a failure, which ends the walk.
class Grammar {
 public:
  Grammar(const char* begin, const char* end) : begin_(begin), end_(end) {}

  // Past the value at `p`, or null. With `nonfinite`, numbers may be NaN and infinite.
  const char* skip_value(const char* p, int depth, bool nonfinite = false);

  // Calls `member(key_begin, key_end, value)` for each member of the object at `p`; it returns the end of its value, or
  // null to end the walk. Returns the end of the object, or null.
  template <typename Member>
  const char* each_member(const char* p, Member&& member) {
    return each(p + 1, '}', "',' or '}'", [&](const char* key) -> const char* {
      if (key == end_ || *key != '"') return fail(key, "a name in quotes");
      const char* const key_end = skip_text(key);
      if (key_end == nullptr) return nullptr;
      const char* const colon = space(key_end);
      if (colon == end_ || *colon != ':') return fail(colon, "':'");
      return member(key, key_end, space(colon + 1));
    });
  }

  // The same for the elements of the array at `p`, by their beginnings.
  template <typename Element>
  const char* each_element(const char* p, Element&& element) {
    return each(p + 1, ']', "',' or ']'", element);
  }

  // Past the string at `p`, or null.
  const char* skip_text(const char* p);

  const char* space(const char* p) const;
  const char* end() const { return end_; }

  // Notes what was expected at `at`, for `problem`.
  std::nullptr_t fail(const char* at, const char* expected);

  // What failed, if something did.
  std::optional<Problem> problem() const;

 private:
  template <typename Item>
  const char* each(const char* p, char close, const char* expected, Item&& item) {
    p = space(p);
    if (p != end_ && *p == close) return p + 1;
    for (;;) {
      p = item(p);
      if (p == nullptr) return nullptr;
      p = space(p);
      if (p != end_ && *p == close) return p + 1;
      if (p == end_ || *p != ',') return fail(p, expected);
      p = space(p + 1);
    }
  }

  const char* skip_word(const char* p, const char* word);

  const char* const begin_;
  const char* const end_;
  const char* failed_at_ = nullptr;
  const char* expected_ = nullptr;
};

}  // namespace headrace::json
