// Names of threads, as `top -H` and debuggers show them.
#pragma once

#include <pthread.h>

#include <string>

namespace headrace {

/// Of the calling thread. Linux takes 15 characters, and no name where there are more.
inline void name_this_thread(const std::string& name) {
#if defined(__APPLE__)
  pthread_setname_np(name.c_str());
#else
  pthread_setname_np(pthread_self(), name.c_str());
#endif
}

}  // namespace headrace
