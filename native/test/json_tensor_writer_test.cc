// Tensors as JSON, and back.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "half.h"
#include "tensor_reader.h"
#include "tensor_writer.h"

namespace headrace::json {
namespace {

std::string written(Datatype datatype, const std::vector<std::byte>& bytes) {
  const size_t count = bytes.size() / info_of(datatype).bytes;
  std::vector<char> out(most_text(datatype, count));
  char* const end = write_tensor(datatype, bytes.data(), count, out.data());
  REQUIRE(end <= out.data() + out.size());
  return {out.data(), end};
}

template <typename T>
std::string written(Datatype datatype, std::initializer_list<T> values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if (values.size() > 0) std::memcpy(bytes.data(), std::data(values), bytes.size());
  return written(datatype, bytes);
}

TEST_CASE("elements are written as short as they can be") {
  CHECK(written(Datatype::Fp32, {0.1F, -1.0F, 0.0F, -0.0F, 1e20F, 16777216.0F}) == "[0.1,-1,0,-0.0,1e+20,16777216]");
  CHECK(written(Datatype::Fp64, {0.1, 1e-300}) == "[0.1,1e-300]");
  CHECK(written(Datatype::Fp32, {NAN, INFINITY, -INFINITY}) == "[NaN,Infinity,-Infinity]");
  CHECK(written<uint8_t>(Datatype::Bool, {1, 0}) == "[true,false]");
  CHECK(written<int64_t>(Datatype::Int64, {INT64_MIN, INT64_MAX}) == "[-9223372036854775808,9223372036854775807]");
  CHECK(written<uint64_t>(Datatype::Uint64, {UINT64_MAX}) == "[18446744073709551615]");
  CHECK(written<uint16_t>(Datatype::Fp16, {0x3c00, 0xc100}) == "[1,-2.5]");
  CHECK(written<uint16_t>(Datatype::Bf16, {0x3f80, 0xc020}) == "[1,-2.5]");
  CHECK(written<uint8_t>(Datatype::Uint8, {}) == "[]");
}

// JSON has one NaN.
bool is_nan(Datatype datatype, const std::byte* bytes) {
  const auto as = [&]<typename T>(T value) {
    std::memcpy(&value, bytes, sizeof value);
    return value;
  };
  if (datatype == Datatype::Fp32) return std::isnan(as(0.0F));
  if (datatype == Datatype::Fp64) return std::isnan(as(0.0));
  if (datatype == Datatype::Fp16) return std::isnan(from_fp16(as(uint16_t{0})));
  return datatype == Datatype::Bf16 && std::isnan(from_bf16(as(uint16_t{0})));
}

TEST_CASE("any element comes back as it was") {
  std::mt19937 random(5);
  for (size_t index = 0; index < static_cast<size_t>(Datatype::Bytes); ++index) {
    const auto datatype = static_cast<Datatype>(index);
    const size_t size = info_of(datatype).bytes;
    const size_t count = 20'000;
    std::vector<std::byte> bytes(count * size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(datatype == Datatype::Bool ? random() % 2 : random());
    for (size_t i = 0; i < count; ++i) {
      if (is_nan(datatype, &bytes[i * size])) std::memset(&bytes[i * size], 0, size);
    }
    const std::string text = written(datatype, bytes);
    Scratch scratch;
    const TensorForm form{datatype, {count}, count};
    const char* const end = text.data() + text.size();
    REQUIRE(read_tensor(form, text.data(), text.data(), end, scratch) == end);
    CHECK(std::memcmp(scratch.bytes().data(), bytes.data(), bytes.size()) == 0);
  }
}

TEST_CASE("strings are escaped, and must be UTF-8") {
  const auto text = [](std::string_view bytes) {
    std::vector<char> out(most_text(bytes));
    char* const end = write_string(bytes, out.data());
    return end == nullptr ? "none" : std::string(out.data(), end);
  };
  CHECK(text("a\"\\\n\x01\x1f/é😀") == R"("a\"\\\n\u0001\u001f/é😀")");
  CHECK(text(std::string_view("\0", 1)) == R"("\u0000")");
  CHECK(text("\xff") == "none");
  CHECK(text("\xed\xa0\x80") == "none");
  CHECK(text("a\xe2\x82") == "none");
}

}  // namespace
}  // namespace headrace::json
