// The keys of WebSocket's opening handshake (RFC 6455, 4.2.2).
#pragma once

#include <string>
#include <string_view>

namespace headrace {

// The value of Sec-WebSocket-Accept that goes with a Sec-WebSocket-Key.
std::string accept_key(std::string_view key);

// Whether a Sec-WebSocket-Key is 16 bytes in base64.
bool is_key(std::string_view key);

}  // namespace headrace
