// Constants as tensors: filled, converted, or refused by message.
#include "constants.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "models.h"

namespace headrace {
namespace {

using testing::bytes_of;
using testing::contains;
using testing::error_of;
using testing::tensor;
using testing::values_of;

template <typename T, typename Value>
std::vector<T> filled(ElementType type, const std::vector<std::string>& dims, Value value) {
  const ConstantInput constant{tensor("c", type, dims), {"c", value}};
  const Buffer buffer = constant_buffer(constant, cpu_device());
  return values_of<T>({buffer.data(), buffer.bytes()});
}

template <typename Value>
std::string refusal(ElementType type, const std::vector<std::string>& dims, Value value) {
  const auto error = error_of([&] { filled<std::byte>(type, dims, value); });
  CHECK(error.first == Code::ModelInvalid);
  return error.second;
}

TEST_CASE("a number fills the whole tensor, open dimensions count as one") {
  CHECK(filled<float>(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, {"2", "?", "2"}, 1.5) ==
        std::vector<float>{1.5F, 1.5F, 1.5F, 1.5F});
  CHECK(filled<int64_t>(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, {}, int64_t{16000}) == std::vector<int64_t>{16000});
}

TEST_CASE("a number becomes the tensor's element type") {
  CHECK(filled<int8_t>(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, {}, -128.0) == std::vector<int8_t>{-128});
  CHECK(filled<uint8_t>(ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, {}, int64_t{255}) == std::vector<uint8_t>{255});
  CHECK(filled<uint32_t>(ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, {}, 4294967295.0) == std::vector<uint32_t>{4294967295U});
  CHECK(filled<double>(ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, {}, int64_t{3}) == std::vector<double>{3});
  CHECK(filled<uint8_t>(ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, {"2"}, true) == std::vector<uint8_t>{1, 1});
  CHECK(filled<uint16_t>(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, {}, 1.0) == std::vector<uint16_t>{0x3c00});
  CHECK(filled<uint16_t>(ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, {}, 1.0) == std::vector<uint16_t>{0x3f80});
}

TEST_CASE("a number that the element type cannot hold is refused") {
  CHECK(contains(refusal(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, {}, 0.5), "not a whole number"));
  CHECK(contains(refusal(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, {}, int64_t{128}), "out of range"));
  CHECK(contains(refusal(ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, {}, int64_t{-1}), "out of range"));
  for (const double huge :
       {1e300, -1e300, 9223372036854775808.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    CAPTURE(huge);
    CHECK(contains(refusal(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, {}, huge), "does not fit"));
  }
}

TEST_CASE("bytes are taken as they are, where there are as many as the tensor has") {
  const std::vector<float> values{1, 2, 3};
  CHECK(filled<float>(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, {"3"}, bytes_of(values)) == values);
  CHECK(contains(refusal(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, {"2"}, bytes_of(values)), "12 bytes were given"));
}

TEST_CASE("strings and numbers do not mix") {
  CHECK(contains(refusal(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, {}, std::string("1")), "a string was given"));
  CHECK(contains(refusal(ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, {}, int64_t{1}), "strings are needed"));
}

TEST_CASE("a string fills a string tensor, NUL bytes included") {
  const std::string text("a\0b", 3);
  const ConstantInput constant{tensor("c", ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, {"2"}), {"c", text}};
  const Buffer none = constant_buffer(constant, cpu_device());
  const Ort::Value value = constant_value(constant, none, cpu_device());
  CHECK(value.GetStringTensorElement(0) == text);
  CHECK(value.GetStringTensorElement(1) == text);
}

TEST_CASE("the refusal names the constant, its type and its shape") {
  CHECK(refusal(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, {"?", "2"}, 0.5) ==
        "constant 'c' does not fit the model's tensor of type INT8 and shape [-1, 2]: it is not a whole number");
}

}  // namespace
}  // namespace headrace
