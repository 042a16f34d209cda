#include "infer_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "grammar.h"

namespace headrace {
namespace {

// As src/protocol/request.ts has it, in characters: no text of so many bytes has more.
constexpr size_t kMaxSequenceId = 1024;
constexpr uint64_t kMaxSafeInteger = (uint64_t{1} << 53) - 1;
constexpr size_t kMaxRank = 32;

bool begins_with(const char* p, const char* end, std::string_view word) {
  return std::string_view(p, static_cast<size_t>(end - p)).starts_with(word);
}

// Each function takes the beginning of a value and returns its end, or null where it is not understood.
class Reader {
 public:
  Reader(std::string_view json, InferHeader& header)
      : grammar_(json.data(), json.data() + json.size()), header_(header) {}

  bool read(const char* begin) {
    const char* p = read_body(grammar_.space(begin));
    return p != nullptr && grammar_.space(p) == grammar_.end();
  }

 private:
  // The members of an object, each of `names` once at most; null counts as absent. `member` gets the index of a name.
  template <size_t N, typename Member>
  const char* members(const char* p, const std::array<std::string_view, N>& names, Member&& member) {
    if (p == grammar_.end() || *p != '{') return nullptr;
    uint32_t seen = 0;
    return grammar_.each_member(p, [&](const char* name, const char* name_end, const char* value) -> const char* {
      const std::string_view text(name + 1, static_cast<size_t>(name_end - name) - 2);
      const auto found = std::find(names.begin(), names.end(), text);
      const auto index = static_cast<size_t>(found - names.begin());
      if (found == names.end() || (seen & 1U << index) != 0) return nullptr;
      seen |= 1U << index;
      if (begins_with(value, grammar_.end(), "null")) return value + 4;
      return member(index, value);
    });
  }

  const char* read_body(const char* p) {
    static constexpr std::array<std::string_view, 4> kNames{"inputs", "id", "parameters", "outputs"};
    return members(p, kNames, [this](size_t index, const char* value) {
      switch (index) {
        case 0:
          return elements(value, [this](const char* input) { return read_input(input); });
        case 1:
          return string(value, header_.id.emplace());
        case 2:
          return read_parameters(value);
        default:
          return read_outputs(value);
      }
    });
  }

  const char* read_parameters(const char* p) {
    static constexpr std::array<std::string_view, 6> kNames{"sequence_id", "sequence_start", "sequence_end",
                                                            "priority",    "timeout",        "binary_data_output"};
    return members(p, kNames, [this](size_t index, const char* value) {
      switch (index) {
        case 0:
          return read_sequence_id(value);
        case 1:
          return boolean(value, header_.sequence_start);
        case 2:
          return boolean(value, header_.sequence_end);
        case 3:
          return count(value, header_.priority);
        case 4:
          return count(value, header_.timeout_micros);
        default:
          return boolean(value, header_.binary_output);
      }
    });
  }

  // 42 and "42" are the same; 0 and "" are none.
  const char* read_sequence_id(const char* p) {
    if (p != grammar_.end() && *p == '"') {
      const char* const after = string(p, header_.sequence_id);
      return header_.sequence_id.size() > kMaxSequenceId ? nullptr : after;
    }
    uint64_t number = 0;
    const char* const after = integer(p, number);
    if (after != nullptr && number != 0) header_.sequence_id = {p, static_cast<size_t>(after - p)};
    return after;
  }

  const char* read_input(const char* p) {
    static constexpr std::array<std::string_view, 5> kNames{"name", "datatype", "shape", "data", "parameters"};
    InferHeader::Input& input = header_.inputs.emplace_back();
    bool has_datatype = false;
    bool has_shape = false;
    const char* const after = members(p, kNames, [&](size_t index, const char* value) {
      switch (index) {
        case 0:
          return string(value, input.name);
        case 1:
          has_datatype = true;
          return read_datatype(value, input.datatype);
        case 2:
          has_shape = true;
          return read_shape(value, input.shape);
        case 3:
          return count(value, input.data_bytes.emplace());
        default:
          return read_input_parameters(value, input);
      }
    });
    return has_datatype && has_shape && !input.name.empty() ? after : nullptr;
  }

  const char* read_input_parameters(const char* p, InferHeader::Input& input) {
    static constexpr std::array<std::string_view, 1> kNames{"binary_data_size"};
    return members(p, kNames, [&](size_t, const char* value) { return count(value, input.binary_bytes.emplace()); });
  }

  const char* read_datatype(const char* p, json::Datatype& datatype) {
    std::string_view name;
    const char* const after = string(p, name);
    const std::optional<json::Datatype> known = json::datatype_named(name);
    if (!known) return nullptr;
    datatype = *known;
    return after;
  }

  const char* read_shape(const char* p, std::vector<int64_t>& shape) {
    return elements(p, [&](const char* dimension) -> const char* {
      uint64_t size = 0;
      const char* const after = count(dimension, size);
      if (shape.size() == kMaxRank) return nullptr;
      shape.push_back(static_cast<int64_t>(size));
      return after;
    });
  }

  // That none is wanted is too rare to be understood.
  const char* read_outputs(const char* p) {
    const char* const after = elements(p, [this](const char* output) { return read_output(output); });
    return header_.outputs.empty() ? nullptr : after;
  }

  const char* read_output(const char* p) {
    static constexpr std::array<std::string_view, 2> kNames{"name", "parameters"};
    static constexpr std::array<std::string_view, 1> kParameters{"binary_data"};
    InferHeader::Output& output = header_.outputs.emplace_back();
    const char* const after = members(p, kNames, [&](size_t index, const char* value) {
      if (index == 0) return string(value, output.name);
      return members(value, kParameters,
                     [&](size_t, const char* binary) { return boolean(binary, output.binary.emplace()); });
    });
    return output.name.empty() ? nullptr : after;
  }

  template <typename Element>
  const char* elements(const char* p, Element&& element) {
    if (p == grammar_.end() || *p != '[') return nullptr;
    return grammar_.each_element(p, element);
  }

  const char* string(const char* p, std::string_view& text) {
    if (p == grammar_.end() || *p != '"') return nullptr;
    const char* const after = grammar_.skip_text(p);
    if (after == nullptr) return nullptr;
    text = {p + 1, static_cast<size_t>(after - p) - 2};
    return text.find('\\') == std::string_view::npos ? after : nullptr;
  }

  const char* boolean(const char* p, bool& value) {
    value = begins_with(p, grammar_.end(), "true");
    if (value) return p + 4;
    return begins_with(p, grammar_.end(), "false") ? p + 5 : nullptr;
  }

  const char* count(const char* p, uint64_t& value) {
    const char* const after = integer(p, value);
    return value > kMaxSafeInteger ? nullptr : after;
  }

  // Digits only. What comes after them is the caller's to look at: it is no part of an integer there.
  const char* integer(const char* p, uint64_t& value) {
    const auto [after, error] = std::from_chars(p, grammar_.end(), value);
    if (error != std::errc{} || (*p == '0' && after != p + 1)) return nullptr;
    return after;
  }

  json::Grammar grammar_;
  InferHeader& header_;
};

}  // namespace

bool read_infer_header(std::string_view json, InferHeader& header) {
  header = InferHeader();
  return Reader(json, header).read(json.data());
}

}  // namespace headrace
