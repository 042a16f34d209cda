// A run: warm-up, the measured windows, and a while in which every request must still be answered.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "connection.h"
#include "measurement.h"
#include "pacer.h"

namespace headrace::bench {

/// Seconds.
struct Timing {
  double warmup;
  double atLeast;  // is measured in any case
  double atMost;   // is measured where the windows do not become stable
  double window;
  double lastAnswers;  // how long answers are waited for in the end
};

struct RunOptions {
  Timing timing;
  pid_t serverPid = 0;  // 0: its CPU time is not asked for
  /// Never sleep: the generator has a core of its own, and waking a sleeping client is work that the kernel does in the
  /// server's send, which clients on other machines do not cost it.
  bool spin = true;
  /// Asked again and again once the warm-up has had its time, and the load goes on, until it says that measuring
  /// begins.
  std::function<bool()> mayBegin = [] { return true; };
  std::function<void(const Window&)> onWindow = {};
};

struct CpuUse {
  double seconds = 0;
  double busySeconds = 0;
  double serverCpuSeconds = 0;

  /// The members of a JSON object, without its braces.
  std::string json() const;
};

/// Drives all connections from the calling thread.
CpuUse run(std::vector<Connection>& connections, Slots& slots, Pacer& pacer, Measurement& measurement,
           const RunOptions& options);

}  // namespace headrace::bench
