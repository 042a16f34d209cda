// ONNX Runtime, loaded from the very file that onnxruntime-node uses: the loop that everything is compared with must
// not run another build of the library than the servers do.
//
// Include this instead of the C++ API, and call loadOnnxRuntime before anything else of it.
#pragma once

#include <string>

#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

namespace headrace::bench {

/// Loads the library for the rest of the process and returns its version. Throws std::runtime_error.
std::string loadOnnxRuntime(const std::string& file);

}  // namespace headrace::bench
