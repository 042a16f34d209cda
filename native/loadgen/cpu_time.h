// CPU time of this process and of another one, to tell how busy the generator and the server were.
#pragma once

#include <sys/types.h>

namespace headrace::bench {

/// User plus system time of this process so far, seconds.
double ownCpuSeconds();

/// The same of all threads of process `pid`, in steps of the kernel's clock tick (usually 10 ms); -1 when it is gone.
double cpuSecondsOf(pid_t pid);

}  // namespace headrace::bench
