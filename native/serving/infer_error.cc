#include "infer_error.h"

#include "stream_error.h"
#include "text_json.h"

namespace headrace {
namespace {

// The same as ERROR_CODES in src/errors.ts.
std::string_view status_of(Code code) {
  switch (code) {
    case Code::Ok:
      return "200 OK";
    case Code::InvalidArgument:
    case Code::ModelInvalid:
      return "400 Bad Request";
    case Code::NotFound:
    case Code::ModelNotFound:
      return "404 Not Found";
    case Code::PayloadTooLarge:
      return "413 Payload Too Large";
    case Code::ResourceExhausted:
      return "429 Too Many Requests";
    case Code::Cancelled:
      return "499 Client Closed Request";
    case Code::Unimplemented:
      return "501 Not Implemented";
    case Code::Unavailable:
      return "503 Service Unavailable";
    case Code::DeadlineExceeded:
      return "504 Gateway Timeout";
    case Code::Internal:
      break;
  }
  return "500 Internal Server Error";
}

}  // namespace

InferError infer_error(Code code, std::string_view detail) {
  InferError error;
  error.head.append(status_of(code)).append("\r\nContent-Type: application/json\r\n");
  if (code == Code::ResourceExhausted) error.head += "Retry-After: 1\r\n";
  error.body = "{\"error\":" + json_text(step_error_message(code, detail)) + "}";
  return error;
}

}  // namespace headrace
