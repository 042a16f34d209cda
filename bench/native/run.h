// A run: warm-up, the measured window, and a last second in which every request must still be answered.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "connection.h"

namespace headrace::bench {

struct Timing {
  double warmupSeconds;
  double measuredSeconds;
};

struct RunResult {
  Tally tally;
  double seconds = 0;  // the window as it really was
  double busySeconds = 0;
  double serverCpuSeconds = 0;  // 0 when no server was named

  double rate() const { return seconds > 0 ? static_cast<double>(tally.requests) / seconds : 0; }
  std::string json() const;
};

/// Drives all connections from the calling thread. `serverPid` 0 means that the server's CPU time is not asked for.
RunResult run(std::vector<Connection>& connections, Timing timing, pid_t serverPid);

}  // namespace headrace::bench
