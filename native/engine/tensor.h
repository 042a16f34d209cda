// Element types, shapes and the description of a model's tensors. Plain values; safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ort.h"

namespace headrace {

using Shape = std::vector<int64_t>;
using ElementType = ONNXTensorElementDataType;

inline constexpr int kNoAxis = -1;

// Bytes of one element; 0 for strings, whose elements have no fixed size.
size_t element_size(ElementType type);

// The V2 datatype ("FP32", "BYTES", …). 8-bit floats travel as UINT8, their bits unchanged. Throws Error(Unimplemented)
// for what V2 cannot carry: complex numbers and 4-bit elements.
const char* v2_datatype(ElementType type, const std::string& tensor_name);

inline bool is_string(ElementType type) { return type == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING; }

// The product of the dimensions. Throws Error(InvalidArgument) where a dimension is negative or the product overflows.
size_t checked_elements(const Shape& shape);

std::string to_string(const Shape& shape);

// Element `index` of a string tensor. Unlike FillStringTensor it keeps NUL bytes.
void set_string(Ort::Value& tensor, size_t index, const std::string& text);

// A tensor as the model declares it. A dynamic dimension is -1, with its symbolic name in `symbols` (maybe empty).
struct TensorInfo {
  std::string name;
  ElementType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  Shape dims;
  std::vector<std::string> symbols;
  bool ranked = true;  // false: not even the number of dimensions is known, `dims` is empty
};

}  // namespace headrace
