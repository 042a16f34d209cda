// A PROXY header means the same however much of it came first.
#include "proxy_header.h"

#include "pieces.h"
#include "property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  using namespace headrace::fuzz;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parse = [&](size_t length, size_t& consumed, ProxySource& source) {
    const std::vector<char> bytes = copy_of(text.substr(0, length));
    return parse_proxy_header(bytes, consumed, source);
  };
  size_t consumed = 0;
  ProxySource source;
  const Parse whole = parse(size, consumed, source);
  demand((whole == Parse::complete) == (consumed != 0), "a length of what is complete only");
  demand(consumed <= std::min(size, kMaxProxyHeaderBytes), "a length that can be");
  demand(source.address_bytes == 0 || source.address_bytes == 4 || source.address_bytes == 16, "an address");
  demand(whole != Parse::incomplete || size < kMaxProxyHeaderBytes, "a header has its greatest length");
  for (size_t length = 0; length < std::min<size_t>(size, 64); ++length) {
    size_t used = 0;
    ProxySource other;
    const Parse part = parse(length, used, other);
    if (whole == Parse::complete && length >= consumed) {
      demand(part == Parse::complete && used == consumed && other.port == source.port, "what follows does not count");
    } else {
      demand(part == Parse::incomplete || (part == Parse::bad && whole == Parse::bad), "a part is incomplete");
    }
  }
  return 0;
}
