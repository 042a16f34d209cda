#include "stream_error.h"

#include <array>
#include <cstdio>

namespace headrace {

std::string step_error_message(Code code, std::string_view detail) {
  switch (code) {
    case Code::InvalidArgument:
      return "the bytes of the inputs do not have the size that their shapes need";
    case Code::ResourceExhausted:
      return "the queue or the table of states is full; retry later, or raise queueSize or maxStates";
    case Code::DeadlineExceeded:
      return "the timeout passed before the step was done; its state is as it was before";
    case Code::Cancelled:
      return "the step was cancelled; its state is as it was before";
    case Code::Unavailable:
      return "the model is being stopped";
    case Code::Internal:
      if (!detail.empty()) return "the model failed: " + std::string(detail);
      break;
    default:
      break;
  }
  return code_name(code);
}

std::string json_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape;
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      quoted += escape.data();
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string stream_error(Code code, std::string_view detail, int64_t stream) {
  std::string text = "{\"error\":" + json_quoted(step_error_message(code, detail));
  text += ",\"code\":\"";
  text += code_name(code);
  text += '"';
  if (stream >= 0) text += ",\"stream\":" + std::to_string(stream);
  return text + '}';
}

}  // namespace headrace
