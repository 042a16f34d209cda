// The client's side of HTTP/1.1, as far as keep-alive requests to a model server need it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "reply_reader.h"

namespace headrace::bench {

/// The value of a header in an HTTP head that ends with its blank line, or nothing. `name` in lower case.
std::optional<std::string_view> headerOf(std::string_view head, std::string_view name);

/// What the body of a good answer must contain.
struct HttpExpectation {
  enum class Body {
    v2Binary,    // V2's binary extension: so many bytes behind the JSON
    v2Json,      // V2's JSON with so many numbers in the data of its one output
    jsonList,    // a JSON object with one list of so many numbers
    jsonObject,  // a JSON object of so many bytes or more
    bytes,       // anything of so many bytes or more
    v2Outputs,   // a V2 response, with binary tensors or without; an outputs list, no matter of which size
  };
  Body body;
  std::size_t size;
};

/// Expects status 200, a Content-Length or chunks, and a body of the expected size.
class HttpReader final : public ReplyReader {
 public:
  explicit HttpReader(HttpExpectation expected) : expected_(expected) {}

  Reply read(std::string_view bytes) override;

 private:
  Reply judge(std::string_view head, std::string_view body) const;
  Reply readChunks(std::string_view head, std::string_view rest) const;

  HttpExpectation expected_;
};

}  // namespace headrace::bench
