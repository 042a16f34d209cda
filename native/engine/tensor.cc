#include "tensor.h"

#include <cstring>
#include <limits>

#include "status.h"

namespace headrace {

size_t element_size(ElementType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E4M3FN:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E4M3FNUZ:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2FNUZ:
      return 1;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return 2;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32:
      return 4;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64:
      return 8;
    default:
      return 0;
  }
}

const char* v2_datatype(ElementType type, const std::string& tensor_name) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return "BOOL";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E4M3FN:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E4M3FNUZ:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2FNUZ:
      return "UINT8";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16:
      return "UINT16";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32:
      return "UINT32";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64:
      return "UINT64";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
      return "INT8";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16:
      return "INT16";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return "INT32";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return "INT64";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return "FP16";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return "FP32";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return "FP64";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return "BF16";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING:
      return "BYTES";
    default:
      throw Error(Code::Unimplemented, "tensor '" + tensor_name + "' has element type " + std::to_string(type) +
                                           " (ONNX numbering), which no V2 datatype can carry");
  }
}

size_t checked_elements(const Shape& shape) {
  size_t count = 1;
  for (const int64_t dim : shape) {
    if (dim < 0) throw Error(Code::InvalidArgument, "shape " + to_string(shape) + " has a negative dimension");
    const auto factor = static_cast<size_t>(dim);
    // Half the range is left free so that the count times an element's size cannot overflow either.
    if (factor != 0 && count > (std::numeric_limits<size_t>::max() >> 8) / factor) {
      throw Error(Code::InvalidArgument, "shape " + to_string(shape) + " has too many elements");
    }
    count *= factor;
  }
  return count;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

void set_string(Ort::Value& tensor, size_t index, const std::string& text) {
  char* buffer = tensor.GetResizedStringTensorElementBuffer(index, text.size());
  if (!text.empty()) std::memcpy(buffer, text.data(), text.size());
}

}  // namespace headrace
