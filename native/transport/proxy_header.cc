#include "proxy_header.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace headrace {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr size_t kFixedBytes = 16;  // signature, version and command, family and protocol, length of the rest
constexpr char kLocal = 0x20;
constexpr char kProxy = 0x21;
constexpr char kTcp4 = 0x11;
constexpr char kTcp6 = 0x21;

size_t read_two(const char* p) {
  return static_cast<size_t>(static_cast<uint8_t>(p[0]) << 8 | static_cast<uint8_t>(p[1]));
}

}  // namespace

Parse parse_proxy_header(std::span<const char> bytes, size_t& consumed, ProxySource& source) {
  consumed = 0;
  source = {};
  const size_t compared = std::min(bytes.size(), kSignature.size());
  if (std::string_view(bytes.data(), compared) != kSignature.substr(0, compared)) return Parse::bad;
  if (bytes.size() > 12 && bytes[12] != kLocal && bytes[12] != kProxy) return Parse::bad;
  if (bytes.size() < kFixedBytes) return Parse::incomplete;

  const size_t rest = read_two(&bytes[14]);
  if (kFixedBytes + rest > kMaxProxyHeaderBytes) return Parse::bad;
  const size_t address_bytes = bytes[12] == kLocal ? 0 : bytes[13] == kTcp4 ? 4 : bytes[13] == kTcp6 ? 16 : SIZE_MAX;
  if (address_bytes == SIZE_MAX) return Parse::bad;
  // Two addresses and two ports; what follows them is of no use here.
  if (address_bytes != 0 && rest < 2 * address_bytes + 4) return Parse::bad;
  if (bytes.size() < kFixedBytes + rest) return Parse::incomplete;
  consumed = kFixedBytes + rest;
  if (address_bytes == 0) return Parse::complete;
  source.address_bytes = address_bytes;
  std::memcpy(source.address.data(), &bytes[kFixedBytes], address_bytes);
  source.port = static_cast<uint16_t>(read_two(&bytes[kFixedBytes + 2 * address_bytes]));
  return Parse::complete;
}

}  // namespace headrace
