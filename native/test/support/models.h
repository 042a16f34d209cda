// The fixture models (test/fixtures/models/make_models.py) and short ways to describe tensors.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model_config.h"
#include "status.h"

namespace headrace::testing {

// The configuration of a fixture model, nothing set but its path.
ModelConfig model(const std::string& name);

// A tensor as a model declares it. A dimension is a number or, where dynamic, a name; "?" has none.
TensorInfo tensor(const std::string& name, ElementType type, const std::vector<std::string>& dims);
TensorInfo floats(const std::string& name, const std::vector<std::string>& dims);

template <typename T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto* data = reinterpret_cast<const std::byte*>(values.data());
  return {data, data + values.size() * sizeof(T)};
}

template <typename T>
std::vector<T> values_of(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const T*>(bytes.data());
  return {data, data + bytes.size() / sizeof(T)};
}

// Code and message of the Error that `work` throws; Ok and "" where it throws none.
template <typename Work>
std::pair<Code, std::string> error_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {Code::Ok, ""};
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace headrace::testing
