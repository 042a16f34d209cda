// Heads of HTTP requests: what is read of the good ones, and which are refused, with which status.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "allocations.h"
#include "http_head.h"

namespace headrace {
namespace {

// What a text became; it owns the bytes, which end where the address sanitizer notices.
struct Outcome {
  std::unique_ptr<char[]> bytes;
  Parse parse = Parse::bad;
  HttpHead head;
  size_t consumed = 1;
  HttpProblem problem;
};

Outcome read(std::string_view text) {
  Outcome outcome;
  outcome.bytes = std::make_unique<char[]>(text.size());
  text.copy(outcome.bytes.get(), text.size());
  outcome.parse = parse_http_head({outcome.bytes.get(), text.size()}, outcome.head, outcome.consumed, outcome.problem);
  CHECK((outcome.parse == Parse::complete) == (outcome.consumed != 0));
  CHECK((outcome.parse == Parse::bad) == (outcome.problem.status != 0));
  return outcome;
}

// A request for "/" with these lines after Host.
std::string with_fields(const std::string& lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n"; }

Outcome good(std::string_view text) {
  Outcome outcome = read(text);
  CHECK_MESSAGE(outcome.parse == Parse::complete, std::string(text), ": ", std::string(outcome.problem.text));
  CHECK(outcome.consumed == text.size());
  for (size_t size = 0; size < text.size(); ++size) {
    CHECK_MESSAGE(read(text.substr(0, size)).parse == Parse::incomplete, std::string(text.substr(0, size)));
  }
  return outcome;
}

// Bad as a whole, and with whatever comes after it; a part of it never is complete.
void check_bad(std::string_view text, int status) {
  const Outcome outcome = read(text);
  CHECK_MESSAGE(outcome.parse == Parse::bad, std::string(text));
  CHECK_MESSAGE(outcome.problem.status == status, std::string(text), ": ", std::string(outcome.problem.text));
  CHECK(outcome.problem.text != "");
  for (size_t size = 0; size < text.size(); ++size) {
    const Outcome part = read(text.substr(0, size));
    CHECK_MESSAGE(part.parse != Parse::complete, std::string(text.substr(0, size)));
    if (part.parse == Parse::bad) CHECK(part.problem.status == status);
  }
}

void check_bad_field(const std::string& lines, int status) { check_bad(with_fields(lines), status); }

TEST_CASE("a head is read whole, and what follows it is left") {
  const std::string text =
      "POST /v2/models/a%20b/infer?x=1&y=? HTTP/1.1\r\nHost: "
      "localhost:8000\r\nContent-TYPE:application/json\r\nX-Empty:\r\nX-Blank: \t \r\n"
      "X-Inner:\t a \t b \t\r\nX-Bytes: caf\xc3\xa9\r\nContent-Length: 12\r\nx-inner: second\r\n\r\n";
  const Outcome outcome = read(text + "Hello: world");
  const HttpHead& head = outcome.head;
  REQUIRE(outcome.parse == Parse::complete);
  CHECK(outcome.consumed == text.size());
  CHECK(head.method == "POST");
  CHECK(head.path == "/v2/models/a%20b/infer");
  CHECK(head.query == "x=1&y=?");
  CHECK(head.minor == 1);
  REQUIRE(head.fields.size() == 8);
  CHECK(head.fields[1].name == "content-type");
  CHECK(head.field("host") == "localhost:8000");
  CHECK(head.field("content-type") == "application/json");
  CHECK(head.field("x-empty") == "");
  CHECK(head.field("x-blank") == "");
  CHECK(head.field("x-inner") == "a \t b");
  CHECK(head.fields[7].value == "second");
  CHECK(head.field("x-bytes") == "caf\xc3\xa9");
  CHECK(head.field("x-none") == "");
  CHECK(head.content_length == 12U);
  CHECK(head.keep_alive);
  CHECK_FALSE(head.chunked);
  CHECK_FALSE(head.expect_continue);
  CHECK_FALSE(head.websocket);
  good(text);
}

TEST_CASE("the forms of a target") {
  const auto check = [](const std::string& line, std::string_view path, std::string_view query) {
    const Outcome outcome = good(line + " HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_MESSAGE(outcome.head.path == path, line);
    CHECK_MESSAGE(outcome.head.query == query, line);
  };
  check("GET /", "/", "");
  check("GET /?", "/", "");
  check("GET /?a?b", "/", "a?b");
  check("GET //b/../c", "//b/../c", "");
  check("OPTIONS *", "*", "");
  check("GET http://b:1/c?d", "/c", "d");
  check("GET HTTPS://b", "/", "");
  check("GET http://b?d", "/", "d");
  check("OPTIONS http://b", "*", "");
  check("OPTIONS http://b/", "/", "");
}

TEST_CASE("a target with a host counts more than the Host header") {
  CHECK(good("GET http://b:1/ HTTP/1.1\r\nHost: a\r\n\r\n").head.field("host") == "b:1");
}

TEST_CASE("targets that are refused") {
  for (const std::string target : {"a", "*", "?a", "http:/b", "http://", "http:///a", "http://c@b/", "ftp://b/", "b:80",
                                   "/a#b", "/a\tb", "/a\x7f", "/a\xc3\xa9", "/a ", "/a b", ""}) {
    check_bad("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n", 400);
  }
  check_bad("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 400);
  check_bad("OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

TEST_CASE("methods and versions") {
  CHECK(good("M-SEARCH* / HTTP/1.1\r\nHost: a\r\n\r\n").head.method == "M-SEARCH*");
  CHECK(good("get / HTTP/1.1\r\nHost: a\r\n\r\n").head.method == "get");
  for (const std::string line :
       {" GET / HTTP/1.1", "\tGET / HTTP/1.1", "GE\x16T / HTTP/1.1", "G(T / HTTP/1.1", "GET\t/ HTTP/1.1",
        "GET / http/1.1", "GET / HTTP/1.1 ", "GET / HTTP/11", "GET / HTTP/1.10", "GET / HTTP/+1.1", "GET /", "GET / ",
        "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTPS/1.1", ""}) {
    check_bad(line + "\r\nHost: a\r\n\r\n", 400);
  }
  for (const std::string version : {"0.9", "1.2", "2.0", "3.1"}) {
    check_bad("GET / HTTP/" + version + "\r\nHost: a\r\n\r\n", 505);
  }
  check_bad("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
}

TEST_CASE("what is no HTTP at all is refused at once") {
  CHECK(read("\x16\x03\x01").parse == Parse::bad);  // TLS
  CHECK(read("\n").parse == Parse::bad);
  CHECK(read("\r\n\r").parse == Parse::bad);
  CHECK(read("{").parse == Parse::bad);
  CHECK(read(std::string_view("\0", 1)).parse == Parse::bad);
}

TEST_CASE("one empty line may come before") {
  CHECK(good("\r\n" + with_fields("")).head.method == "GET");
  check_bad("\r\n\r\n" + with_fields(""), 400);
  check_bad("\n" + with_fields(""), 400);
}

TEST_CASE("lines end with CR LF, and with nothing else") {
  check_bad("GET / HTTP/1.1\nHost: a\r\n\r\n", 400);
  check_bad("GET / HTTP/1.1\r\nHost: a\n\r\n", 400);
  check_bad("GET / HTTP/1.1\r\nHost: a\r\n\n", 400);
  check_bad("GET / HTTP/1.1\rHost: a\r\n\r\n", 400);
  check_bad("GET / HTTP/1.1\r\nHost: a\rb: c\r\n\r\n", 400);
  check_bad("GET / HTTP/1.1\r\nHost: a\r\n\rb", 400);
  check_bad("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400);
}

TEST_CASE("fields that could be read in two ways are refused") {
  check_bad_field("A : b\r\n", 400);
  check_bad_field("A\t: b\r\n", 400);
  check_bad_field(" A: b\r\n", 400);
  check_bad_field("A: b\r\n c\r\n", 400);
  check_bad_field("A: b\r\n\tc: d\r\n", 400);
  check_bad_field(": b\r\n", 400);
  check_bad_field("A\r\n", 400);
  check_bad_field("A b: c\r\n", 400);
  check_bad_field("A(b): c\r\n", 400);
  check_bad_field("A\xc3\xa9: c\r\n", 400);
  check_bad("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
}

TEST_CASE("no control character but the tab is taken in a value, wherever it stands") {
  for (int c = 0; c < 256; ++c) {
    if (c == '\r') continue;  // with the ends of lines
    const bool is_control = (c < 0x20 && c != '\t') || c == 0x7f;
    for (const size_t before : {1, 5, 7, 8, 9, 30}) {
      std::string text =
          with_fields("A: " + std::string(before, 'x') + static_cast<char>(c) + std::string(before, 'y') + "\r\n");
      const Outcome outcome = read(text);
      CHECK_MESSAGE((outcome.parse == Parse::bad) == is_control, c);
      if (!is_control) CHECK(outcome.head.fields[1].value.size() == 2 * before + 1);
    }
  }
}

TEST_CASE("Host: once, and a host") {
  check_bad("GET / HTTP/1.1\r\n\r\n", 400);
  check_bad("GET / HTTP/1.1\r\nA: Host: a\r\n\r\n", 400);
  check_bad_field("Host: a\r\n", 400);
  check_bad("GET http://a/ HTTP/1.1\r\n\r\n", 400);
  check_bad("GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400);
  for (const std::string host : {"a b", "a/b", "a@b", "a?b", "a#b", "a\\b", "<a>", "\"a\"", "{a}", "caf\xc3\xa9"}) {
    check_bad("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 400);
  }
  for (const std::string host : {"", "a", "a.b:80", "127.0.0.1", "[::1]:8000", "a-b_c.d", "%41"}) {
    CHECK(good("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").head.field("host") == host);
  }
  CHECK(good("GET / HTTP/1.0\r\n\r\n").head.minor == 0);
}

TEST_CASE("Content-Length: digits, and one number") {
  CHECK_FALSE(good(with_fields("")).head.content_length.has_value());
  CHECK(good(with_fields("Content-Length: 0\r\n")).head.content_length == 0U);
  CHECK(good(with_fields("content-length:\t007 \r\n")).head.content_length == 7U);
  CHECK(good(with_fields("CONTENT-LENGTH: 18446744073709551615\r\n")).head.content_length == UINT64_MAX);
  CHECK(good(with_fields("Content-Length: 5\r\nContent-Length: 5\r\n")).head.content_length == 5U);
  for (const std::string value :
       {"", "-1", "+1", "1.0", "0x10", "1e2", "5, 5", "5 5", "a", "18446744073709551616", "1_0"}) {
    check_bad_field("Content-Length: " + value + "\r\n", 400);
  }
  check_bad_field("Content-Length: 5\r\nContent-Length: 6\r\n", 400);
  check_bad_field("Content-Length: 0\r\nContent-Length: 1\r\n", 400);
}

TEST_CASE("Transfer-Encoding: chunked, and not with a Content-Length") {
  CHECK(good(with_fields("Transfer-Encoding: chunked\r\n")).head.chunked);
  CHECK(good(with_fields("transfer-encoding:  Chunked\t\r\n")).head.chunked);
  for (const std::string value :
       {"", "gzip", "gzip, chunked", "chunked, gzip", "identity", "chunked;a=b", "xchunked", "chunked,"}) {
    check_bad_field("Transfer-Encoding: " + value + "\r\n", 501);
  }
  check_bad_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400);
  check_bad_field("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400);
  check_bad_field("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400);
  check_bad("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
}

TEST_CASE("a connection is kept as its version and Connection say") {
  const auto is_kept = [](const std::string& version, const std::string& lines) {
    return good("GET / HTTP/" + version + "\r\nHost: a\r\n" + lines + "\r\n").head.keep_alive;
  };
  CHECK(is_kept("1.1", ""));
  CHECK(is_kept("1.1", "Connection: keep-alive\r\n"));
  CHECK(is_kept("1.1", "Connection: closed\r\n"));
  CHECK_FALSE(is_kept("1.1", "Connection: close\r\n"));
  CHECK_FALSE(is_kept("1.1", "Connection: Upgrade ,, CLOSE\r\n"));
  CHECK_FALSE(is_kept("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  CHECK_FALSE(is_kept("1.0", ""));
  CHECK(is_kept("1.0", "Connection: Keep-Alive\r\n"));
  CHECK_FALSE(is_kept("1.0", "Connection: keep-alive, close\r\n"));
}

TEST_CASE("an upgrade to WebSocket needs both headers") {
  CHECK(good(with_fields("Upgrade: websocket\r\nConnection: Upgrade\r\n")).head.websocket);
  CHECK(good(with_fields("Connection: keep-alive, UPGRADE\r\nUpgrade: h2c, WebSocket\r\n")).head.websocket);
  CHECK_FALSE(good(with_fields("Upgrade: websocket\r\n")).head.websocket);
  CHECK_FALSE(good(with_fields("Connection: upgrade\r\n")).head.websocket);
  CHECK_FALSE(good(with_fields("Connection: upgrade\r\nUpgrade: h2c\r\n")).head.websocket);
  CHECK_FALSE(good("GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n").head.websocket);
}

TEST_CASE("of expectations only 100-continue is met, and none of HTTP/1.0") {
  CHECK(good(with_fields("Expect: 100-Continue\r\n")).head.expect_continue);
  CHECK_FALSE(good("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").head.expect_continue);
  check_bad_field("Expect: 200-ok\r\n", 417);
}

TEST_CASE("a head has its limits, to the byte") {
  const auto of_size = [](size_t size) {
    const std::string rest = with_fields("A: \r\n");
    return with_fields("A: " + std::string(size - rest.size(), 'a') + "\r\n");
  };
  CHECK(read(of_size(kMaxHeadBytes)).parse == Parse::complete);
  const std::string longer = of_size(kMaxHeadBytes + 1);
  CHECK(read(longer).problem.status == 431);
  CHECK(read(longer.substr(0, kMaxHeadBytes)).problem.status == 431);
  CHECK(read(longer.substr(0, kMaxHeadBytes - 1)).parse == Parse::incomplete);
  CHECK(read(std::string(kMaxHeadBytes, 'A')).problem.status == 431);
}

TEST_CASE("a target has its limit, to the byte") {
  const auto of_size = [](size_t size) { return "GET /" + std::string(size - 1, 'a'); };
  CHECK(read(of_size(kMaxTargetBytes) + " HTTP/1.1\r\nHost: a\r\n\r\n").parse == Parse::complete);
  CHECK(read(of_size(kMaxTargetBytes)).parse == Parse::incomplete);
  CHECK(read(of_size(kMaxTargetBytes + 1)).problem.status == 414);
}

TEST_CASE("a head has so many fields") {
  const auto of_fields = [](size_t number) {
    std::string lines;
    for (size_t i = 1; i < number; ++i) lines += "A: b\r\n";
    return with_fields(lines);
  };
  CHECK(read(of_fields(kMaxFields)).head.fields.size() == kMaxFields);
  CHECK(read(of_fields(kMaxFields + 1)).problem.status == 431);
}

TEST_CASE("a head does not show through in the next one, which allocates nothing") {
  HttpHead head;
  HttpProblem problem;
  size_t consumed = 0;
  std::string first = with_fields(
      "Content-Length: 5\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\nA: b\r\nExpect: 100-continue\r\n");
  REQUIRE(parse_http_head(first, head, consumed, problem) == Parse::complete);
  std::string second = "OPTIONS * HTTP/1.0\r\n\r\n";
  std::string third = first;
  testing::start_counting_allocations();
  const Parse parsed = parse_http_head(second, head, consumed, problem);
  const bool shows_through = !head.fields.empty() || !head.query.empty() || head.content_length.has_value() ||
                             head.websocket || head.expect_continue || head.keep_alive;
  const Parse parsed_again = parse_http_head(third, head, consumed, problem);
  CHECK(testing::stop_counting_allocations() == 0);
  CHECK(parsed == Parse::complete);
  CHECK_FALSE(shows_through);
  CHECK(parsed_again == Parse::complete);
  CHECK(head.fields.size() == 6);
}

}  // namespace
}  // namespace headrace
