#include "constants.h"

#include <cstring>
#include <limits>

#include "status.h"

namespace headrace {
namespace {

Shape constant_shape(const ConstantInput& constant) {
  Shape shape = constant.info.dims;
  for (int64_t& dim : shape) dim = dim < 0 ? 1 : dim;
  return shape;
}

[[noreturn]] void does_not_fit(const ConstantInput& constant, const std::string& why) {
  throw Error(Code::ModelInvalid, "constant '" + constant.info.name + "' does not fit the model's tensor of type " +
                                      v2_datatype(constant.info.type, constant.info.name) + " and shape " +
                                      to_string(constant.info.dims) + ": " + why);
}

template <typename T, typename Value>
void fill(const ConstantInput& constant, Buffer& buffer, size_t count, Value value) {
  if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_floating_point_v<Value>) {
      // Converting what int64 cannot hold is undefined; NaN fails both comparisons.
      constexpr Value kBound = 9223372036854775808.0;
      if (!(value >= -kBound && value < kBound)) does_not_fit(constant, "it is out of range");
      if (value != static_cast<Value>(static_cast<int64_t>(value))) does_not_fit(constant, "it is not a whole number");
    }
    const auto whole = static_cast<int64_t>(value);
    const bool negative_unsigned = std::is_unsigned_v<T> && whole < 0;
    if (negative_unsigned || static_cast<int64_t>(static_cast<T>(whole)) != whole)
      does_not_fit(constant, "it is out of range");
  }
  for (size_t i = 0; i < count; ++i) {
    const T element = static_cast<T>(value);
    std::memcpy(buffer.data() + i * sizeof(T), &element, sizeof(T));
  }
}

template <typename Value>
void fill_number(const ConstantInput& constant, Buffer& buffer, size_t count, Value value) {
  switch (constant.info.type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return fill<bool>(constant, buffer, count, value != 0);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
      return fill<uint8_t>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
      return fill<int8_t>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16:
      return fill<uint16_t>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16:
      return fill<int16_t>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32:
      return fill<uint32_t>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return fill<int32_t>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64:
      return fill<uint64_t>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return fill<int64_t>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return fill<float>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return fill<double>(constant, buffer, count, value);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return fill<uint16_t>(constant, buffer, count, int64_t{Ort::Float16_t(static_cast<float>(value)).val});
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return fill<uint16_t>(constant, buffer, count, int64_t{Ort::BFloat16_t(static_cast<float>(value)).val});
    default:
      does_not_fit(constant, "numbers cannot fill it");
  }
}

}  // namespace

Buffer constant_buffer(const ConstantInput& constant, const Device& device) {
  const size_t count = checked_elements(constant_shape(constant));
  const size_t bytes = count * element_size(constant.info.type);
  Buffer buffer = device.allocate(bytes);
  const auto& value = constant.config.value;
  const bool text = std::holds_alternative<std::string>(value);
  if (text != is_string(constant.info.type)) does_not_fit(constant, text ? "a string was given" : "strings are needed");
  if (const auto* whole = std::get_if<int64_t>(&value)) fill_number(constant, buffer, count, *whole);
  if (const auto* number = std::get_if<double>(&value)) fill_number(constant, buffer, count, *number);
  if (const auto* flag = std::get_if<bool>(&value)) fill_number(constant, buffer, count, int64_t{*flag});
  if (const auto* raw = std::get_if<std::vector<std::byte>>(&value)) {
    if (raw->size() != bytes) does_not_fit(constant, std::to_string(raw->size()) + " bytes were given");
    device.copy_in(buffer.data(), raw->data(), bytes, {});
  }
  return buffer;
}

Ort::Value constant_value(const ConstantInput& constant, const Buffer& bytes, const Device& device) {
  const Shape shape = constant_shape(constant);
  if (is_string(constant.info.type)) {
    Ort::AllocatorWithDefaultOptions allocator;
    Ort::Value value = Ort::Value::CreateTensor(allocator, shape.data(), shape.size(), constant.info.type);
    const size_t count = checked_elements(shape);
    for (size_t i = 0; i < count; ++i) set_string(value, i, std::get<std::string>(constant.config.value));
    return value;
  }
  return Ort::Value::CreateTensor(device.memory_info(), bytes.data(), bytes.bytes(), shape.data(), shape.size(),
                                  constant.info.type);
}

}  // namespace headrace
