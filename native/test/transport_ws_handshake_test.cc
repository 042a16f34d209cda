// The keys of WebSocket's handshake.
#include <doctest/doctest.h>

#include <string>

#include "ws_handshake.h"

namespace headrace {
namespace {

TEST_CASE("the key is answered as RFC 6455 says") {
  CHECK(accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // its own example, 1.3
  CHECK(accept_key("x3JJHMbDL1EzLkh9GBhXDw==") == "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

TEST_CASE("keys of any length, also where the padding needs a block of its own") {
  CHECK(accept_key("") == "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
  CHECK(accept_key(std::string(19, 'a')) == "yzaGyu0mcUukN7CdsSwa30tnCpc=");
  CHECK(accept_key(std::string(20, 'a')) == "dUYRM7bOMwDmbriNIPr11x+r3E0=");
  CHECK(accept_key(std::string(28, 'a')) == "xMWmCBqYJY4uXzUs8PNU1t+Pzro=");
  CHECK(accept_key(std::string(200, 'a')) == "W7nwfYCuwcatB7HT3divf5cVU2A=");
}

TEST_CASE("a key is 16 bytes in base64") {
  CHECK(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
  CHECK(is_key("++//AAAAAAAAAAAAAAAAAA=="));
  CHECK_FALSE(is_key(""));
  CHECK_FALSE(is_key("dGhlIHNhbXBsZSBub25jZQ="));
  CHECK_FALSE(is_key("dGhlIHNhbXBsZSBub25jZQ"));
  CHECK_FALSE(is_key("dGhlIHNhbXBsZSBub25jZQ==="));
  CHECK_FALSE(is_key("dGhlIHNhbXBsZSBub25jZQA="));
  CHECK_FALSE(is_key("dGhlIHNhbXBsZSBub25j=Q=="));
  CHECK_FALSE(is_key("dGhlIHNhbXBsZSBub25-ZQ=="));
  CHECK_FALSE(is_key("dGhlIHNhbXBsZSBub25jZ =="));
}

}  // namespace
}  // namespace headrace
