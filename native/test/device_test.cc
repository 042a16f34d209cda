// The contract of a device, on the host's.
#include "device.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "models.h"
#include "tensor.h"

namespace headrace {
namespace {

using testing::error_of;

std::vector<std::byte> counting(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i + 1);
  return bytes;
}

TEST_CASE("memory is aligned to 64 bytes, also for no bytes at all") {
  for (const size_t bytes : {0, 1, 63, 64, 65, 100'000}) {
    const Buffer buffer = cpu_device().allocate(bytes);
    REQUIRE(buffer.data() != nullptr);
    CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % 64 == 0);
    CHECK(buffer.bytes() == bytes);
  }
}

TEST_CASE("more memory than there can be is refused, not wrapped around") {
  for (const size_t bytes : {SIZE_MAX, SIZE_MAX - 62, SIZE_MAX / 2}) {
    CHECK(error_of([&] { cpu_device().allocate(bytes); }).first == Code::ResourceExhausted);
  }
}

TEST_CASE("nothing may be copied from nowhere") {
  const Buffer buffer = cpu_device().allocate(8);
  cpu_device().copy_in(buffer.data(), nullptr, 0, {});
  cpu_device().copy_out(buffer.data(), nullptr, 0);
  cpu_device().copy_out(nullptr, buffer.data(), 0);
}

TEST_CASE("gather and scatter move pieces with a pitch on either side") {
  const std::vector<std::byte> source = counting(6);
  std::vector<std::byte> target(9);
  const RowMove move{target.data(), source.data(), 3, 2, 2, 3};
  for (const bool in : {true, false}) {
    std::fill(target.begin(), target.end(), std::byte{0});
    in ? cpu_device().gather({&move, 1}) : cpu_device().scatter({&move, 1});
    CHECK(target == std::vector<std::byte>{std::byte{1}, std::byte{2}, std::byte{0}, std::byte{3}, std::byte{4},
                                           std::byte{0}, std::byte{5}, std::byte{6}, std::byte{0}});
  }
}

TEST_CASE("a null source writes zeros and nothing beside them") {
  std::vector<std::byte> target = counting(6);
  const RowMove move{target.data(), nullptr, 3, 0, 2, 2};
  cpu_device().gather({&move, 1});
  CHECK(target ==
        std::vector<std::byte>{std::byte{0}, std::byte{0}, std::byte{3}, std::byte{0}, std::byte{0}, std::byte{6}});
}

TEST_CASE("sizes of shapes: products, empty dimensions, and what is refused") {
  CHECK(checked_elements({}) == 1);
  CHECK(checked_elements({2, 3}) == 6);
  CHECK(checked_elements({0, int64_t{1} << 62}) == 0);
  CHECK(error_of([] { checked_elements({2, -1}); }).first == Code::InvalidArgument);
  CHECK(error_of([] { checked_elements({int64_t{1} << 40, int64_t{1} << 40}); }).first == Code::InvalidArgument);
}

TEST_CASE("element types have the size and the V2 name that the wire needs") {
  CHECK(element_size(ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16) == 2);
  CHECK(element_size(ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING) == 0);
  CHECK(std::string(v2_datatype(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2, "t")) == "UINT8");
  CHECK(std::string(v2_datatype(ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, "t")) == "BYTES");
  const auto complex = error_of([] { v2_datatype(ONNX_TENSOR_ELEMENT_DATA_TYPE_COMPLEX64, "t"); });
  CHECK(complex.first == Code::Unimplemented);
  CHECK(testing::contains(complex.second, "'t'"));
}

}  // namespace
}  // namespace headrace
