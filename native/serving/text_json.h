// Texts as strings of JSON.
#pragma once

#include <string>
#include <string_view>

namespace headrace {

// With its quotes, exactly as JSON.stringify writes it. What is no UTF-8 becomes U+FFFD, byte by byte.
std::string json_text(std::string_view text);

}  // namespace headrace
