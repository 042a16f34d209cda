#include "model_file.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace headrace::bench {

namespace {

using Fields = std::vector<std::string>;

Fields split(const std::string& text, char separator) {
  Fields fields;
  std::istringstream in(text);
  for (std::string field; std::getline(in, field, separator);) fields.push_back(field);
  return fields;
}

Shape shapeOf(const std::string& text) {
  Shape shape;
  for (const std::string& dim : split(text, ',')) shape.push_back(std::stoll(dim));
  return shape;
}

std::vector<std::byte> bytesOf(const std::string& hexadecimal) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hexadecimal.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoul(hexadecimal.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

ConstantConfig constantOf(const Fields& fields) {
  const std::string& kind = fields.at(2);
  const std::string value = fields.size() > 3 ? fields[3] : "";
  ConstantConfig constant{.input = fields.at(1), .value = value};
  if (kind == "integer") constant.value = static_cast<std::int64_t>(std::stoll(value));
  if (kind == "real") constant.value = std::stod(value);
  if (kind == "boolean") constant.value = value == "true";
  if (kind == "bytes") constant.value = bytesOf(value);
  return constant;
}

void setOption(ModelConfig& config, const std::string& name, const std::string& value) {
  if (name == "execution") {
    config.execution = value == "inline" ? Execution::Inline : value == "lanes" ? Execution::Lanes : Execution::Auto;
    return;
  }
  const long long number = std::stoll(value);
  if (name == "maxBatch") config.max_batch = static_cast<std::uint32_t>(number);
  if (name == "maxDelayMicros") config.max_delay_micros = number;
  if (name == "queueSize") config.queue_size = static_cast<std::uint32_t>(number);
  if (name == "queueBytes") config.queue_bytes = number;
  if (name == "lanes") config.lanes = static_cast<std::uint32_t>(number);
  if (name == "intraOpThreads") config.intra_op_threads = static_cast<std::uint32_t>(number);
  if (name == "maxStates") config.max_states = static_cast<std::uint32_t>(number);
}

void take(ModelFile& file, const Fields& fields) {
  ModelConfig& config = file.config;
  const std::string& what = fields.at(0);
  if (what == "path") {
    config.path = fields.at(1);
  } else if (what == "constant") {
    config.constants.push_back(constantOf(fields));
  } else if (what == "states") {
    if (fields.at(1) == "given") config.state.emplace();
  } else if (what == "state") {
    std::optional<int> axis;
    if (fields.size() > 3) axis = std::stoi(fields[3]);
    config.state.value().push_back({.input = fields.at(1), .output = fields.at(2), .batch_axis = axis});
  } else if (what == "context") {
    const int axis = fields.size() > 3 ? std::stoi(fields[3]) : -1;
    config.context.push_back({.input = fields.at(1), .size = std::stoll(fields.at(2)), .axis = axis});
  } else if (what == "shape") {
    config.shapes.push_back({.input = fields.at(1), .dims = shapeOf(fields.at(2))});
  } else if (what == "option") {
    setOption(config, fields.at(1), fields.at(2));
  } else if (what == "input") {
    file.inputs.push_back({.tensor = fields.at(1),
                           .bytes = std::stoul(fields.at(2)),
                           .row_dims = shapeOf(fields.size() > 3 ? fields[3] : "")});
  } else {
    throw std::runtime_error("an unknown line: " + what);
  }
}

}  // namespace

ModelFile readModelFile(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path);
  ModelFile file;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) take(file, split(line, '\t'));
  }
  return file;
}

}  // namespace headrace::bench
