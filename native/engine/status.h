// The error codes of the engine: the same names as the table in src/errors.ts.
//
// Cold paths (loading, configuration) throw Error. Hot paths (submit, cancel, release) return a Code, because a
// refusal under overload must be cheap.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace headrace {

enum class Code : int32_t {
  Ok = 0,
  InvalidArgument = 1,
  PayloadTooLarge = 2,
  NotFound = 3,
  ModelNotFound = 4,
  ModelInvalid = 5,
  ResourceExhausted = 6,
  DeadlineExceeded = 7,
  Cancelled = 8,
  Unimplemented = 9,
  Unavailable = 10,
  Internal = 11,
};

constexpr const char* code_name(Code code) {
  switch (code) {
    case Code::Ok:
      return "OK";
    case Code::InvalidArgument:
      return "INVALID_ARGUMENT";
    case Code::PayloadTooLarge:
      return "PAYLOAD_TOO_LARGE";
    case Code::NotFound:
      return "NOT_FOUND";
    case Code::ModelNotFound:
      return "MODEL_NOT_FOUND";
    case Code::ModelInvalid:
      return "MODEL_INVALID";
    case Code::ResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case Code::DeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case Code::Cancelled:
      return "CANCELLED";
    case Code::Unimplemented:
      return "UNIMPLEMENTED";
    case Code::Unavailable:
      return "UNAVAILABLE";
    case Code::Internal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

// A failure with a stable code and a message that says what was wrong and what to do.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Code code() const { return code_; }

 private:
  Code code_;
};

// An impossible state. Never reachable by user input.
[[noreturn]] inline void bug(const std::string& what) {
  throw Error(Code::Internal, what + ". This is a bug in Headrace, please report it.");
}

}  // namespace headrace
