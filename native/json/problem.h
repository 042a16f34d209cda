// What is wrong with a body, in the words that its sender gets to read.
#pragma once

#include <string>

namespace headrace::json {

struct Problem {
  std::string path;  // of the value, such as inputs[0].data[3]
  std::string message;
};

}  // namespace headrace::json
