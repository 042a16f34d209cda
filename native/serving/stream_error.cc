#include "stream_error.h"

#include "text_json.h"

namespace headrace {

std::string step_error_message(Code code, std::string_view detail) {
  switch (code) {
    case Code::InvalidArgument:
      if (!detail.empty()) return "the model refused the inputs: " + std::string(detail);
      return "the bytes of the inputs do not have the size that their shapes need";
    case Code::ResourceExhausted:
      return "the queue or the table of states is full; retry later, or raise queueSize, queueBytes or maxStates";
    case Code::DeadlineExceeded:
      return "the step was not done, or could not have been, within its timeout; its state is as it was before";
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

std::string stream_error(Code code, std::string_view detail, int64_t stream) {
  std::string text = "{\"error\":" + json_text(step_error_message(code, detail));
  text += ",\"code\":\"";
  text += code_name(code);
  text += '"';
  if (stream >= 0) text += ",\"stream\":" + std::to_string(stream);
  return text + '}';
}

}  // namespace headrace
