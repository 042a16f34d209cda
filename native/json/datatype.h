// The V2 datatypes as JSON tensors have them. Plain values; no Node, no ONNX Runtime.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace headrace::json {

// By the numbers of JSON_DATATYPES in src/engine/surface.ts.
enum class Datatype : uint8_t {
  Bool,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Int8,
  Int16,
  Int32,
  Int64,
  Fp16,
  Fp32,
  Fp64,
  Bf16,
  Bytes,
};

struct DatatypeInfo {
  std::string_view name;
  size_t bytes;      // of an element; 0 for BYTES
  size_t most_text;  // characters of an element's JSON and a comma, at most; 0 for BYTES
};

inline constexpr std::array<DatatypeInfo, 14> kDatatypes{{
    {"BOOL", 1, 6},
    {"UINT8", 1, 4},
    {"UINT16", 2, 6},
    {"UINT32", 4, 11},
    {"UINT64", 8, 21},
    {"INT8", 1, 5},
    {"INT16", 2, 7},
    {"INT32", 4, 12},
    {"INT64", 8, 21},
    {"FP16", 2, 17},
    {"FP32", 4, 17},
    {"FP64", 8, 26},
    {"BF16", 2, 17},
    {"BYTES", 0, 0},
}};

constexpr const DatatypeInfo& info_of(Datatype datatype) { return kDatatypes[static_cast<size_t>(datatype)]; }

constexpr std::optional<Datatype> datatype_named(std::string_view name) {
  for (size_t i = 0; i < kDatatypes.size(); ++i) {
    if (kDatatypes[i].name == name) return static_cast<Datatype>(i);
  }
  return std::nullopt;
}

}  // namespace headrace::json
