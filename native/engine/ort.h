// ONNX Runtime, found at run time: the exact library that the installed onnxruntime-node uses is opened by absolute
// path, so that both share one copy in a process (docs/decisions/0001-one-onnxruntime.md).
//
// Every engine file includes this header, never onnxruntime_cxx_api.h itself.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

#include <memory>
#include <string>

namespace headrace {

// Opens the library and initialises the C++ API. Idempotent and thread-safe; the library stays open for the life of the
// process. Throws Error(Unavailable) when the file cannot be opened or speaks an older API, and Error(InvalidArgument)
// when another path was opened before.
void open_onnxruntime(const std::string& library_path);

// The version of the opened library, e.g. "1.29.0".
std::string onnxruntime_version();

// The process-wide ORT environment, alive as long as someone holds it. open_onnxruntime must have succeeded.
std::shared_ptr<Ort::Env> shared_ort_env();

}  // namespace headrace
