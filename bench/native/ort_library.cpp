#include "ort_library.h"

#include <dlfcn.h>

#include <stdexcept>

namespace headrace::bench {

std::string loadOnnxRuntime(const std::string& file) {
  // Never closed: ONNX Runtime's globals do not survive it.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  using GetApiBase = const OrtApiBase*(ORT_API_CALL*)();
  const auto getApiBase = reinterpret_cast<GetApiBase>(dlsym(library, "OrtGetApiBase"));
  if (getApiBase == nullptr) throw std::runtime_error(file + " has no OrtGetApiBase");

  const OrtApiBase* base = getApiBase();
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    throw std::runtime_error(file + " is ONNX Runtime " + base->GetVersionString() + " and lacks API " +
                             std::to_string(ORT_API_VERSION));
  }
  Ort::InitApi(api);
  return base->GetVersionString();
}

}  // namespace headrace::bench
