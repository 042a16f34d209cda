#include "models.h"

namespace headrace::testing {

ModelConfig model(const std::string& name) {
  ModelConfig config;
  config.path = std::string(HEADRACE_MODELS) + "/" + name + ".onnx";
  return config;
}

TensorInfo tensor(const std::string& name, ElementType type, const std::vector<std::string>& dims) {
  TensorInfo info;
  info.name = name;
  info.type = type;
  for (const std::string& dim : dims) {
    const bool known = !dim.empty() && dim.find_first_not_of("0123456789") == std::string::npos;
    info.dims.push_back(known ? std::stoll(dim) : -1);
    info.symbols.push_back(known || dim == "?" ? "" : dim);
  }
  return info;
}

TensorInfo floats(const std::string& name, const std::vector<std::string>& dims) {
  return tensor(name, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, dims);
}

}  // namespace headrace::testing
