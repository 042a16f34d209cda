// Bodies in chunks: taken apart the same however they are cut, and refused where they are not what RFC 9112 says.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "chunked_body.h"

namespace headrace {
namespace {

struct Outcome {
  Parse parse = Parse::incomplete;
  std::string body;
  size_t consumed = 0;
  int status = 0;
};

// Feeds a body in pieces, each in memory of its own that ends where the address sanitizer notices.
Outcome feed(const std::vector<std::string_view>& pieces) {
  ChunkedBody body;
  Outcome outcome;
  for (const std::string_view piece : pieces) {
    const auto copy = std::make_unique<char[]>(piece.size());
    piece.copy(copy.get(), piece.size());
    std::span<const char> left{copy.get(), piece.size()};
    while (!left.empty() && outcome.parse == Parse::incomplete) {
      size_t consumed = 0;
      std::span<const char> data;
      outcome.parse = body.next(left, consumed, data);
      CHECK((consumed > 0 || outcome.parse == Parse::bad));
      CHECK((data.empty() || outcome.parse == Parse::incomplete));
      outcome.body.append(data.begin(), data.end());
      outcome.consumed += consumed;
      left = left.subspan(consumed);
    }
  }
  outcome.status = body.problem().status;
  CHECK((outcome.parse == Parse::bad) == (outcome.status != 0));
  return outcome;
}

// Whole, cut in two at every place, and byte by byte; the outcome is the same each time.
Outcome feed_every_way(std::string_view text) {
  Outcome whole = feed({text});
  const auto check_same = [&](const Outcome& other) {
    CHECK(other.parse == whole.parse);
    CHECK(other.body == whole.body);
    CHECK(other.status == whole.status);
    if (whole.parse != Parse::bad) CHECK(other.consumed == whole.consumed);
  };
  for (size_t cut = 0; cut <= text.size(); ++cut) check_same(feed({text.substr(0, cut), text.substr(cut)}));
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
  check_same(feed(bytes));
  return whole;
}

void check_body(std::string_view text, std::string_view body) {
  const Outcome outcome = feed_every_way(std::string(text) + "GET");
  CHECK_MESSAGE(outcome.parse == Parse::complete, std::string(text));
  CHECK(outcome.body == body);
  CHECK(outcome.consumed == text.size());
  for (size_t size = 0; size < text.size(); ++size) {
    CHECK_MESSAGE(feed({text.substr(0, size)}).parse == Parse::incomplete, std::string(text.substr(0, size)));
  }
}

void check_bad(std::string_view text, int status = 400) {
  const Outcome outcome = feed_every_way(text);
  CHECK_MESSAGE(outcome.parse == Parse::bad, std::string(text));
  CHECK_MESSAGE(outcome.status == status, std::string(text));
}

TEST_CASE("the data of the chunks is the body") {
  check_body("0\r\n\r\n", "");
  check_body("5\r\nhello\r\n0\r\n\r\n", "hello");
  check_body("1\r\nh\r\n4\r\nello\r\n00\r\n\r\n", "hello");
  check_body("0000000000000005\r\n\r\n\r\n0\r\n0\r\n\r\n", "\r\n\r\n0");
  check_body("a\r\n0123456789\r\n1F\r\n0123456789012345678901234567890\r\n0\r\n\r\n",
             "01234567890123456789012345678901234567890");
}

TEST_CASE("extensions and trailers are dropped") {
  check_body("2;a=b\r\nhi\r\n0;c\r\n\r\n", "hi");
  check_body("2 ; a=\"\xc3\xa9 b\"\t\r\nhi\r\n0\r\n\r\n", "hi");
  check_body("2\r\nhi\r\n0\r\nA: b\r\nContent-MD5:\r\nx:\t y : z\r\n\r\n", "hi");
}

TEST_CASE("sizes that are none") {
  for (const std::string_view size : {"", "g", "-1", "+1", "0x1", " 1", "1,2", "11111111111111111", "\n"}) {
    check_bad(std::string(size) + "\r\na\r\n0\r\n\r\n");
  }
  CHECK(feed({"ffffffffffffffff\r\nabc"}).body == "abc");
}

TEST_CASE("lines end with CR LF, and with nothing else") {
  check_bad("1\na\r\n0\r\n\r\n");
  check_bad("1\ra\r\n0\r\n\r\n");
  check_bad("1\r\na\n0\r\n\r\n");
  check_bad("1\r\nab\r\n0\r\n\r\n");
  check_bad("1\r\na\r0\r\n\r\n");
  check_bad("1\r\na0\r\n\r\n");
  check_bad("1;a\nb\r\na\r\n0\r\n\r\n");
  check_bad("1;a\rb\r\na\r\n0\r\n\r\n");
  check_bad("0\n\r\n");
  check_bad("0\r\n\n");
  check_bad("0\r\n\ra");
}

TEST_CASE("trailers are lines of fields") {
  check_bad("0\r\n a: b\r\n\r\n");
  check_bad("0\r\na: b\r\n c\r\n\r\n");
  check_bad("0\r\na\r\n\r\n");
  check_bad("0\r\na : b\r\n\r\n");
  check_bad("0\r\n: b\r\n\r\n");
  check_bad("0\r\na: \x01\r\n\r\n");
  check_bad("0\r\na: b\n\r\n");
  check_bad("0\r\na: b\rc\r\n\r\n");
}

TEST_CASE("extensions have their limit, of all chunks together") {
  const auto of_extensions = [](size_t each, size_t chunks) {
    std::string text;
    for (size_t i = 0; i < chunks; ++i) text += "1" + std::string(each, ';') + "\r\na\r\n";
    return text + "0\r\n\r\n";
  };
  CHECK(feed({of_extensions(ChunkedBody::kMaxExtensionBytes, 1)}).parse == Parse::complete);
  CHECK(feed({of_extensions(ChunkedBody::kMaxExtensionBytes + 1, 1)}).status == 400);
  CHECK(feed({of_extensions(64, ChunkedBody::kMaxExtensionBytes / 64)}).parse == Parse::complete);
  CHECK(feed({of_extensions(64, ChunkedBody::kMaxExtensionBytes / 64 + 1)}).status == 400);
}

TEST_CASE("the trailer has its limit") {
  const auto of_trailer = [](size_t size) { return "0\r\na:" + std::string(size - 4, 'b') + "\r\n\r\n"; };
  CHECK(feed({of_trailer(ChunkedBody::kMaxTrailerBytes)}).parse == Parse::complete);
  CHECK(feed({of_trailer(ChunkedBody::kMaxTrailerBytes + 1)}).status == 431);
}

TEST_CASE("what was bad stays bad, and what has ended takes nothing more") {
  ChunkedBody body;
  size_t consumed = 0;
  std::span<const char> data;
  const std::string end = "0\r\n\r\n";
  CHECK(body.next(end, consumed, data) == Parse::complete);
  CHECK(body.next(end, consumed, data) == Parse::complete);
  CHECK(consumed == 0);
  body = ChunkedBody{};
  CHECK(body.next(std::string_view("x"), consumed, data) == Parse::bad);
  CHECK(body.next(end, consumed, data) == Parse::bad);
  CHECK(consumed == 0);
}

}  // namespace
}  // namespace headrace
