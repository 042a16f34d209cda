// The answer to an infer request whose step failed, as src/drivers/http/exchange.ts writes it.
#pragma once

#include <string>
#include <string_view>

#include "status.h"

namespace headrace {

struct InferError {
  std::string head;
  std::string body;
};

// `detail` is what the model said where it failed.
InferError infer_error(Code code, std::string_view detail);

}  // namespace headrace
