// What the command line asks to be sent: the connections, and the requests of their slots.
#pragma once

#include <memory>
#include <vector>

#include "arguments.h"
#include "connection.h"
#include "request_source.h"

namespace headrace::bench {

struct Workplace {
  std::unique_ptr<RequestSource> source;  // outlives the connections
  std::vector<Connection> connections;
  std::size_t slots = 0;
};

/// Connects. Throws UsageError for what the command line has wrong, and other exceptions where nobody answers.
Workplace workplaceOf(const Arguments& arguments);

}  // namespace headrace::bench
