#include "ort.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "mutex.h"
#include "status.h"

namespace headrace {
namespace {

using GetApiBase = const OrtApiBase* (*)();

struct Library {
  Mutex mutex;
  std::string path GUARDED_BY(mutex);
  std::string version GUARDED_BY(mutex);
  std::weak_ptr<Ort::Env> env GUARDED_BY(mutex);
};

Library& library() {
  static Library instance;
  return instance;
}

// The handle is never closed: sessions of onnxruntime-node may live in the same library.
GetApiBase find_entry(const std::string& path) {
#if defined(_WIN32)
  HMODULE handle = LoadLibraryA(path.c_str());
  if (handle == nullptr) throw Error(Code::Unavailable, "cannot open ONNX Runtime at " + path);
  return reinterpret_cast<GetApiBase>(GetProcAddress(handle, "OrtGetApiBase"));
#else
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw Error(Code::Unavailable, std::string("cannot open ONNX Runtime: ") + dlerror());
  return reinterpret_cast<GetApiBase>(dlsym(handle, "OrtGetApiBase"));
#endif
}

}  // namespace

void open_onnxruntime(const std::string& library_path) {
  Library& lib = library();
  MutexLock lock(lib.mutex);
  if (!lib.path.empty()) {
    if (lib.path == library_path) return;
    throw Error(Code::InvalidArgument,
                "ONNX Runtime is already open from " + lib.path + ", cannot open " + library_path);
  }
  const GetApiBase entry = find_entry(library_path);
  if (entry == nullptr) throw Error(Code::Unavailable, library_path + " is not an ONNX Runtime library");
  const OrtApi* api = entry()->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    throw Error(Code::Unavailable, library_path + " is ONNX Runtime " + entry()->GetVersionString() +
                                       ", but API version " + std::to_string(ORT_API_VERSION) + " is needed");
  }
  Ort::InitApi(api);
  lib.path = library_path;
  lib.version = entry()->GetVersionString();
}

std::string onnxruntime_version() {
  Library& lib = library();
  MutexLock lock(lib.mutex);
  return lib.version;
}

std::shared_ptr<Ort::Env> shared_ort_env() {
  Library& lib = library();
  MutexLock lock(lib.mutex);
  if (lib.path.empty()) bug("an ONNX Runtime environment was asked for before the library was opened");
  std::shared_ptr<Ort::Env> env = lib.env.lock();
  if (!env) {
    env = std::make_shared<Ort::Env>(ORT_LOGGING_LEVEL_ERROR, "headrace");
    lib.env = env;
  }
  return env;
}

}  // namespace headrace
