// PROXY headers of version 2.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "proxy_header.h"

namespace headrace {
namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

Parse parse(const std::string& text, size_t& consumed, ProxySource& source) {
  const auto copy = std::make_unique<char[]>(text.size());  // ends where the address sanitizer notices
  text.copy(copy.get(), text.size());
  const Parse parse = parse_proxy_header({copy.get(), text.size()}, consumed, source);
  CHECK((parse == Parse::complete) == (consumed != 0));
  return parse;
}

std::string header(char command, char family, const std::string& rest) {
  return kSignature + command + family + static_cast<char>(rest.size() >> 8) + static_cast<char>(rest.size()) + rest;
}

ProxySource good(const std::string& text) {
  ProxySource source;
  size_t consumed = 0;
  for (size_t size = 0; size < text.size(); ++size) {
    CHECK(parse(text.substr(0, size), consumed, source) == Parse::incomplete);
  }
  CHECK(parse(text + "GET / HTTP/1.1", consumed, source) == Parse::complete);
  CHECK(consumed == text.size());
  return source;
}

void check_bad(const std::string& text) {
  ProxySource source;
  size_t consumed = 0;
  CHECK(parse(text, consumed, source) == Parse::bad);
}

TEST_CASE("a connection over IPv4") {
  const ProxySource source = good(header(0x21, 0x11, "\x7f\x01\x02\x03\x0a\x01\x02\x03\x12\x34\x56\x78"));
  CHECK(source.address_bytes == 4);
  CHECK(source.address == std::array<uint8_t, 16>{0x7f, 1, 2, 3});
  CHECK(source.port == 0x1234);
}

TEST_CASE("a connection over IPv6, with more than the addresses") {
  const std::string from = "0123456789abcdef";
  const ProxySource source =
      good(header(0x21, 0x21, from + std::string(16, 'x') + "\xff\xfe\x01\x02" + "\x04\x01more"));
  CHECK(source.address_bytes == 16);
  CHECK(std::string(source.address.begin(), source.address.end()) == from);
  CHECK(source.port == 0xfffe);
}

TEST_CASE("a connection of the proxy's own has no source") {
  CHECK(good(header(0x20, 0x00, "")).address_bytes == 0);
  CHECK(good(header(0x20, 0x11, "whatever it says")).address_bytes == 0);
}

TEST_CASE("what is no such header, and what is longer than it may be") {
  for (size_t i = 0; i < kSignature.size(); ++i) {
    std::string other = kSignature;
    ++other[i];
    check_bad(other.substr(0, i + 1));
  }
  check_bad(kSignature + "\x11");                        // version 1
  check_bad(kSignature + "\x22");                        // a command that there is not
  check_bad(header(0x21, 0x00, std::string(36, 'x')));   // of no family
  check_bad(header(0x21, 0x12, std::string(36, 'x')));   // of UDP
  check_bad(header(0x21, 0x31, std::string(216, 'x')));  // of Unix sockets
  check_bad(header(0x21, 0x11, std::string(11, 'x')));   // too short for its addresses
  check_bad(header(0x21, 0x21, std::string(35, 'x')));
  check_bad(header(0x20, 0x00, std::string(kMaxProxyHeaderBytes - 15, 'x')));
  CHECK(good(header(0x20, 0x00, std::string(kMaxProxyHeaderBytes - 16, 'x'))).port == 0);
  check_bad("GET / HTTP/1.1");
  check_bad("PROXY TCP4 ");
}

}  // namespace
}  // namespace headrace
