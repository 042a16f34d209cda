#include "chunked_body.h"

#include <algorithm>

#include "characters.h"

namespace headrace {
namespace {

constexpr unsigned kMaxDigits = 16;  // of a size: 64 bits

// The value of a hexadecimal digit, or -1.
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_text(char c) { return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t'; }

}  // namespace

Parse ChunkedBody::next(std::span<const char> in, size_t& consumed, std::span<const char>& data) {
  data = {};
  consumed = 0;
  while (consumed < in.size() && at_ != At::end && at_ != At::bad) {
    if (at_ == At::data) {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, in.size() - consumed));
      data = in.subspan(consumed, size);
      consumed += size;
      left_ -= size;
      if (left_ == 0) at_ = At::data_cr;
      return Parse::incomplete;
    }
    at_ = after(in[consumed++]);
  }
  if (at_ == At::bad) return Parse::bad;
  return at_ == At::end ? Parse::complete : Parse::incomplete;
}

ChunkedBody::At ChunkedBody::after(char c) {
  const auto expect = [&](char wanted, At next) {
    return c == wanted ? next : refuse(400, "a chunk of the body does not end with CR LF");
  };
  switch (at_) {
    case At::size:
      return after_size(c);
    case At::extension:
      return after_extension(c);
    case At::size_lf:
      return expect('\n', left_ == 0 ? At::trailer : At::data);
    case At::data_cr:
      digits_ = 0;
      return expect('\r', At::data_lf);
    case At::data_lf:
      return expect('\n', At::size);
    case At::trailer_lf:
      return expect('\n', At::trailer);
    case At::last_lf:
      return expect('\n', At::end);
    default:
      return after_trailer(c);
  }
}

ChunkedBody::At ChunkedBody::after_size(char c) {
  if (const int digit = hex_value(c); digit >= 0) {
    if (digits_ == kMaxDigits) return refuse(400, "the size of a chunk has more than 16 digits");
    ++digits_;
    left_ = left_ << 4 | static_cast<uint64_t>(digit);
    return At::size;
  }
  if (digits_ == 0) return refuse(400, "a chunk of the body does not begin with its size");
  if (c == '\r') return At::size_lf;
  if (c == ';' || is_blank(c)) return after_extension(c);
  return refuse(400, "the size of a chunk is not a hexadecimal number");
}

// Whatever it says: none is known, and those that are not known are to be ignored.
ChunkedBody::At ChunkedBody::after_extension(char c) {
  if (c == '\r') return At::size_lf;
  if (!is_text(c)) return refuse(400, "there is a control character in the extension of a chunk");
  if (++extension_bytes_ > kMaxExtensionBytes)
    return refuse(400, "the extensions of the chunks are longer than 16 KiB");
  return At::extension;
}

ChunkedBody::At ChunkedBody::after_trailer(char c) {
  if (++trailer_bytes_ > kMaxTrailerBytes) return refuse(431, "the trailer of the body is longer than 16 KiB");
  if (at_ == At::trailer && c == '\r') return At::last_lf;
  if (at_ == At::trailer_value) {
    if (c == '\r') return At::trailer_lf;
    return is_text(c) ? At::trailer_value : refuse(400, "there is a control character in the trailer of the body");
  }
  if (is_token_character(c)) return At::trailer_name;
  const bool is_named = at_ == At::trailer_name && c == ':';
  return is_named ? At::trailer_value : refuse(400, "a line of the body's trailer does not begin with a name and ':'");
}

ChunkedBody::At ChunkedBody::refuse(int status, std::string_view text) {
  problem_ = {status, text};
  return At::bad;
}

}  // namespace headrace
