// The header that a proxy puts in front of a connection to say who is behind it: PROXY protocol, version 2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "parse.h"

namespace headrace {

// The longest header taken, with whatever the proxy adds to the addresses.
inline constexpr size_t kMaxProxyHeaderBytes = 4096;

struct ProxySource {
  std::array<uint8_t, 16> address{};  // in the order of the network
  size_t address_bytes = 0;           // 4 for IPv4, 16 for IPv6, 0 where the connection is the proxy's own
  uint16_t port = 0;
};

// Reads the header at the beginning of `bytes`: of TCP over IPv4 or IPv6, or LOCAL. `consumed` is its length when it is
// complete, otherwise 0.
Parse parse_proxy_header(std::span<const char> bytes, size_t& consumed, ProxySource& source);

}  // namespace headrace
