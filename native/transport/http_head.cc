#include "http_head.h"

#include <algorithm>

#include "characters.h"
#include "http_framing.h"

namespace headrace {
namespace {

// 1 for what may stand in a target: what is visible in ASCII, but for the fragment, which is never sent.
constexpr CharacterTable kTarget = [] {
  CharacterTable table{};
  for (size_t c = 0x21; c <= 0x7e; ++c) table[c] = c == '#' ? 0 : 1;
  return table;
}();

std::string_view view(const char* begin, const char* end) { return {begin, static_cast<size_t>(end - begin)}; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// One head on its way through. Each part is past `p_` when its function says that it is complete.
class HeadReader {
 public:
  HeadReader(char* begin, char* end, HttpHead& head, HttpProblem& problem)
      : p_(begin), end_(end), head_(head), problem_(problem), framing_(head) {}

  Parse read();
  const char* position() const { return p_; }

 private:
  Parse read_method();
  Parse read_target();
  Parse read_version();
  Parse read_field();
  Parse read_name(std::string_view& name);
  Parse read_value(std::string_view& value);
  Parse read_line_end();
  bool place_target();
  bool place_absolute(std::string_view rest);
  void split_target(std::string_view target);

  Parse refuse(int status, std::string_view text) {
    problem_ = {status, text};
    return Parse::bad;
  }

  char* p_;
  char* const end_;
  HttpHead& head_;
  HttpProblem& problem_;
  HttpFraming framing_;
  std::string_view target_;
  std::string_view authority_;  // of a target in absolute form, which counts more than Host
};

Parse HeadReader::read() {
  if (p_ != end_ && *p_ == '\r') {  // RFC 9112, 2.2: some clients send one after a body
    if (const Parse step = read_line_end(); step != Parse::complete) return step;
  }
  for (const auto part : {&HeadReader::read_method, &HeadReader::read_target, &HeadReader::read_version}) {
    if (const Parse step = (this->*part)(); step != Parse::complete) return step;
  }
  if (!place_target()) return refuse(400, "the target is neither a path nor a URL of http");
  while (p_ != end_ && *p_ != '\r') {
    if (const Parse step = read_field(); step != Parse::complete) return step;
  }
  if (const Parse step = read_line_end(); step != Parse::complete) return step;
  if (!framing_.settle(problem_)) return Parse::bad;
  if (!authority_.empty()) {
    for (HeaderField& field : head_.fields) {
      if (field.name == "host") field.value = authority_;
    }
  }
  return Parse::complete;
}

Parse HeadReader::read_method() {
  const char* const begin = p_;
  p_ = std::find_if_not(p_, end_, is_token_character);
  if (p_ == end_) return Parse::incomplete;
  if (*p_ != ' ' || p_ == begin) return refuse(400, "the request does not begin with a method of HTTP");
  head_.method = view(begin, p_);
  ++p_;
  return Parse::complete;
}

Parse HeadReader::read_target() {
  const char* const begin = p_;
  p_ = std::find_if_not(p_, end_, [](char c) { return look_up(kTarget, c) != 0; });
  target_ = view(begin, p_);
  if (target_.size() > kMaxTargetBytes) return refuse(414, "the target is longer than 8 KiB");
  if (p_ == end_) return Parse::incomplete;
  if (*p_ != ' ' || p_ == begin) return refuse(400, "the target is not a URL, or no version of HTTP follows it");
  ++p_;
  return Parse::complete;
}

Parse HeadReader::read_version() {
  constexpr std::string_view kPattern = "HTTP/0.0";
  char digits[2] = {};
  size_t found = 0;
  for (const char expected : kPattern) {
    if (p_ == end_) return Parse::incomplete;
    if (expected == '0' ? !is_digit(*p_) : *p_ != expected) return refuse(400, "the version is not one of HTTP");
    if (expected == '0') digits[found++] = *p_;
    ++p_;
  }
  if (digits[0] != '1' || digits[1] > '1') return refuse(505, "the versions served are HTTP/1.0 and HTTP/1.1");
  head_.minor = digits[1] - '0';
  return read_line_end();
}

Parse HeadReader::read_line_end() {
  if (p_ == end_) return Parse::incomplete;
  if (*p_ != '\r') return refuse(400, "a line does not end with CR LF");
  if (p_ + 1 == end_) return Parse::incomplete;
  if (p_[1] != '\n') return refuse(400, "a CR is not followed by LF");
  p_ += 2;
  return Parse::complete;
}

// Path and query, where the target has a form that is served.
bool HeadReader::place_target() {
  if (target_.front() == '/') {
    split_target(target_);
    return true;
  }
  if (target_ == "*" && head_.method == "OPTIONS") {
    head_.path = target_;
    return true;
  }
  for (const std::string_view scheme : {"http", "https"}) {
    const bool has_scheme = is_same_token(target_.substr(0, scheme.size()), scheme);
    if (has_scheme && target_.substr(scheme.size()).starts_with("://")) {
      return place_absolute(target_.substr(scheme.size() + 3));
    }
  }
  return false;
}

// `rest` is what follows the scheme.
bool HeadReader::place_absolute(std::string_view rest) {
  authority_ = rest.substr(0, rest.find_first_of("/?"));
  if (authority_.empty() || authority_.find('@') != std::string_view::npos) return false;
  rest.remove_prefix(authority_.size());
  split_target(rest);
  if (head_.path.empty()) head_.path = head_.method == "OPTIONS" && rest.empty() ? "*" : "/";
  return true;
}

void HeadReader::split_target(std::string_view target) {
  const size_t mark = target.find('?');
  head_.path = target.substr(0, mark);
  if (mark != std::string_view::npos) head_.query = target.substr(mark + 1);
}

Parse HeadReader::read_field() {
  HeaderField field;
  if (const Parse step = read_name(field.name); step != Parse::complete) return step;
  if (const Parse step = read_value(field.value); step != Parse::complete) return step;
  if (head_.fields.size() == kMaxFields) return refuse(431, "there are more than 100 headers");
  head_.fields.push_back(field);
  return framing_.note(field, problem_) ? Parse::complete : Parse::bad;
}

Parse HeadReader::read_name(std::string_view& name) {
  char* p = p_;
  while (p != end_) {
    const char lower = look_up(kTokenLower, *p);
    if (lower == 0) break;
    *p++ = lower;
  }
  name = view(p_, p);
  p_ = p;
  if (p == end_) return Parse::incomplete;
  if (*p != ':' || name.empty()) return refuse(400, "a header does not begin with a name and ':'");
  ++p_;
  return Parse::complete;
}

Parse HeadReader::read_value(std::string_view& value) {
  while (p_ != end_ && is_blank(*p_)) ++p_;
  const char* const begin = p_;
  p_ = skip_field_text(p_, end_);
  value = view(begin, p_);
  while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
  if (p_ != end_ && *p_ != '\r') return refuse(400, "there is a control character in the value of a header");
  return read_line_end();
}

}  // namespace

std::string_view HttpHead::field(std::string_view lower_name) const {
  for (const HeaderField& field : fields) {
    if (field.name == lower_name) return field.value;
  }
  return {};
}

void HttpHead::clear() {
  std::vector<HeaderField> kept = std::move(fields);
  kept.clear();
  *this = HttpHead{};
  fields = std::move(kept);
}

Parse parse_http_head(std::span<char> bytes, HttpHead& head, size_t& consumed, HttpProblem& problem) {
  consumed = 0;
  head.clear();
  const size_t size = std::min(bytes.size(), kMaxHeadBytes);
  HeadReader reader(bytes.data(), bytes.data() + size, head, problem);
  const Parse parse = reader.read();
  if (parse == Parse::incomplete && size == kMaxHeadBytes) {
    problem = {431, "the headers are longer than 16 KiB"};
    return Parse::bad;
  }
  if (parse == Parse::complete) consumed = static_cast<size_t>(reader.position() - bytes.data());
  return parse;
}

}  // namespace headrace
