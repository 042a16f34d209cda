// The fields of a request that say how long it is, and what becomes of its connection.
#pragma once

#include <string_view>

#include "http_head.h"

namespace headrace {

// Told of one head's fields, one after the other, then of their end.
class HttpFraming {
 public:
  explicit HttpFraming(HttpHead& head) : head_(head) {}

  // False where the field is wrong, or does not go with those before; `problem` then says why.
  bool note(const HeaderField& field, HttpProblem& problem);

  // False where they do not go together.
  bool settle(HttpProblem& problem);

 private:
  bool note_host(std::string_view value, HttpProblem& problem);
  bool note_expect(std::string_view value, HttpProblem& problem);
  bool note_content_length(std::string_view value, HttpProblem& problem);
  bool note_transfer_encoding(std::string_view value, HttpProblem& problem);
  void note_connection(std::string_view value);
  void note_upgrade(std::string_view value);

  HttpHead& head_;
  bool has_host_ = false;
  bool has_close_ = false;
  bool has_keep_alive_ = false;
  bool has_upgrade_ = false;    // in Connection
  bool has_websocket_ = false;  // in Upgrade
};

}  // namespace headrace
