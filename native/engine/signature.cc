#include "signature.h"

#include <algorithm>
#include <array>

#include "model_plan.h"
#include "status.h"

namespace headrace {
namespace {

bool starts_with(const std::string& text, const std::string& prefix) { return text.rfind(prefix, 0) == 0; }

bool ends_with(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() && text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

// Lower case without separators, so that "hidden_in", "hiddenIn" and "Hidden.In" compare alike.
std::string plain(const std::string& name) {
  std::string result;
  for (const char c : name) {
    if (c == '_' || c == '.' || c == '-' || c == '/' || c == ' ') continue;
    result.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return result;
}

// What is called "input…" is data, unless the rest of its name says state ("input_state", "input_h").
bool named_like_data(const std::string& in) {
  static constexpr std::array<const char*, 5> kStateWords{"state", "hidden", "cell", "cache", "mem"};
  if (!starts_with(in, "input")) return false;
  const std::string rest = in.substr(5);
  const auto in_rest = [&](const char* word) { return rest.find(word) != std::string::npos; };
  return rest != "h" && rest != "c" && std::none_of(kStateWords.begin(), kStateWords.end(), in_rest);
}

// Whether `output` is what the usual naming conventions call the successor of `input`.
bool names_match(const std::string& input, const std::string& output) {
  const std::string in = plain(input);
  const std::string out = plain(output);
  if (named_like_data(in)) return false;
  for (const char* suffix : {"n", "out", "next", "new", "output"}) {
    if (out == in + suffix) return true;
  }
  for (const char* prefix : {"new", "next", "out", "updated", "output"}) {
    if (out == prefix + in) return true;
  }
  struct Convention {
    const char* in;
    const char* out;
  };
  static constexpr std::array<Convention, 4> kSuffixes{{{"in", "out"}, {"0", "n"}, {"0", "1"}, {"input", "output"}}};
  for (const auto& [a, b] : kSuffixes) {
    if (!ends_with(in, a) || !ends_with(out, b)) continue;
    const std::string stem = in.substr(0, in.size() - std::string(a).size());
    if (!stem.empty() && stem == out.substr(0, out.size() - std::string(b).size())) return true;
  }
  static constexpr std::array<Convention, 4> kPrefixes{
      {{"past", "present"}, {"in", "out"}, {"prev", "next"}, {"initial", "y"}}};
  for (const auto& [a, b] : kPrefixes) {
    if (!starts_with(in, a) || !starts_with(out, b)) continue;
    const std::string stem = in.substr(std::string(a).size());
    if (!stem.empty() && stem == out.substr(std::string(b).size())) return true;
  }
  return false;
}

// A state's size must be known: only its batch axis may be dynamic.
bool could_be_state(const TensorInfo& info) {
  return element_size(info.type) > 0 &&
         std::count_if(info.dims.begin(), info.dims.end(), [](int64_t d) { return d < 0; }) <= 1;
}

bool shapes_compatible(const Shape& a, const Shape& b) {
  if (a.size() != b.size() || a.empty()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] >= 0 && b[i] >= 0 && a[i] != b[i]) return false;
  }
  return true;
}

bool looks_like_batch(const std::string& symbol) {
  const std::string name = plain(symbol);
  return name == "n" || name == "b" || name == "bs" || starts_with(name, "batch");
}

int axis_with_symbol(const TensorInfo& info, const std::string& symbol) {
  if (symbol.empty()) return kNoAxis;
  for (size_t i = 0; i < info.dims.size(); ++i) {
    if (info.dims[i] < 0 && info.symbols[i] == symbol) return static_cast<int>(i);
  }
  return kNoAxis;
}

std::string batch_symbol(const std::vector<TensorInfo>& inputs) {
  for (const TensorInfo& info : inputs) {
    for (size_t i = 0; i < info.dims.size(); ++i) {
      if (info.dims[i] < 0 && looks_like_batch(info.symbols[i])) return info.symbols[i];
    }
  }
  for (const TensorInfo& info : inputs) {
    if (!info.dims.empty() && info.dims[0] < 0) return info.symbols[0];
  }
  return "";
}

}  // namespace

std::string list_names(const std::vector<TensorInfo>& tensors) {
  std::string text;
  for (const TensorInfo& info : tensors) {
    if (!text.empty()) text += ", ";
    text += "'" + info.name + "' " + to_string(info.dims);
  }
  return text.empty() ? "none" : text;
}

std::vector<StatePair> recognise_state_pairs(const std::vector<TensorInfo>& inputs,
                                             const std::vector<TensorInfo>& outputs) {
  std::vector<StatePair> pairs;
  std::vector<bool> taken(outputs.size(), false);
  // A model whose every input looks like state would have nothing left to feed: then none is.
  if (inputs.size() < 2) return pairs;
  for (const TensorInfo& input : inputs) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      const TensorInfo& output = outputs[i];
      if (taken[i] || input.type != output.type || !could_be_state(input)) continue;
      if (!shapes_compatible(input.dims, output.dims) || !names_match(input.name, output.name)) continue;
      taken[i] = true;
      pairs.push_back({input.name, output.name, std::nullopt});
      break;
    }
  }
  return pairs.size() == inputs.size() ? std::vector<StatePair>{} : pairs;
}

BatchAxes find_batch_axes(const std::vector<TensorInfo>& data_inputs) {
  BatchAxes result;
  result.symbol = batch_symbol(data_inputs);
  result.batchable = !data_inputs.empty();
  if (data_inputs.empty()) result.why_not = "the model has no input that a step brings";
  for (const TensorInfo& info : data_inputs) {
    int axis = axis_with_symbol(info, result.symbol);
    if (axis == kNoAxis && result.symbol.empty() && !info.dims.empty() && info.dims[0] < 0) axis = 0;
    result.axes.push_back(axis);
    if (axis == kNoAxis) {
      result.batchable = false;
      result.why_not = "input '" + info.name + "' " + to_string(info.dims) + " has no dynamic batch axis";
    }
  }
  return result;
}

int state_batch_axis(const TensorInfo& input, const StatePair& pair, const std::string& symbol) {
  const int rank = static_cast<int>(input.dims.size());
  if (pair.batch_axis) {
    const int axis = *pair.batch_axis < 0 ? *pair.batch_axis + rank : *pair.batch_axis;
    if (axis >= 0 && axis < rank) return axis;
    throw Error(Code::ModelInvalid, "state '" + pair.input + "' has " + std::to_string(rank) +
                                        " dimensions, batchAxis " + std::to_string(*pair.batch_axis) +
                                        " is not one of them");
  }
  const int named = axis_with_symbol(input, symbol);
  if (named != kNoAxis) return named;
  int only = kNoAxis;
  for (int i = 0; i < rank; ++i) {
    if (input.dims[i] >= 0) continue;
    if (only != kNoAxis) {
      throw Error(Code::ModelInvalid, "state '" + pair.input + "' has several dynamic dimensions, " +
                                          to_string(input.dims) + ": say which is the batch with batchAxis");
    }
    only = i;
  }
  return only;
}

int output_batch_axis(const TensorInfo& output, const BatchAxes& axes) {
  const int named = axis_with_symbol(output, axes.symbol);
  if (named != kNoAxis) return named;
  const bool any_batch = std::any_of(axes.axes.begin(), axes.axes.end(), [](int axis) { return axis != kNoAxis; });
  return any_batch && !output.dims.empty() && output.dims[0] < 0 ? 0 : kNoAxis;
}

}  // namespace headrace
