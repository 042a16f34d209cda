// V2 requests in JSON: what becomes of them, and what is said of those that are wrong.
#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "infer_reader.h"

namespace headrace::json {
namespace {

// What a body became, or what was wrong with it.
struct Outcome {
  bool is_json = false;
  std::string header;
  std::string bytes;
  std::string path;
  std::string message;
};

Outcome read(const std::string& body) {
  static InferReader reader;  // the one before must not shine through
  // In memory of its own that ends with it, for the address sanitizer.
  const std::vector<char> copy(body.begin(), body.end());
  Outcome outcome;
  outcome.is_json = reader.read({copy.data(), copy.size()});
  if (outcome.is_json) {
    outcome.header = reader.header();
    const auto bytes = reader.data().bytes();
    outcome.bytes.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  if (reader.problem()) {
    outcome.path = reader.problem()->path;
    outcome.message = reader.problem()->message;
  }
  return outcome;
}

std::string input(const std::string& datatype, const std::string& shape, const std::string& data) {
  return R"({"inputs":[{"name":"x","datatype":")" + datatype + R"(","shape":)" + shape + R"(,"data":)" + data + "}]}";
}

template <typename T>
std::string bytes_of(std::initializer_list<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (values.size() > 0) std::memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}

void check_bytes(const std::string& body, const std::string& bytes) {
  const Outcome outcome = read(body);
  CHECK_MESSAGE(outcome.message == "", body);
  CHECK_MESSAGE(outcome.bytes == bytes, body);
}

TEST_CASE("the elements become bytes, and their number of bytes stands in their place") {
  const Outcome outcome =
      read(R"( {"id":"7", "inputs":[ {"name":"x","shape":[1,2],"datatype":"FP32","data":[0.5, -1e3]} ]} )");
  CHECK(outcome.is_json);
  CHECK(outcome.header == R"( {"id":"7", "inputs":[ {"name":"x","shape":[1,2],"datatype":"FP32","data":8} ]} )");
  CHECK(outcome.bytes == bytes_of({0.5F, -1000.0F}));
}

TEST_CASE("every datatype has its bytes") {
  check_bytes(input("BOOL", "[4]", "[true,false,1,0.0]"), bytes_of<uint8_t>({1, 0, 1, 0}));
  check_bytes(input("UINT8", "[3]", "[0,255,1e2]"), bytes_of<uint8_t>({0, 255, 100}));
  check_bytes(input("INT8", "[3]", "[-128,127,-0]"), bytes_of<int8_t>({-128, 127, 0}));
  check_bytes(input("UINT16", "[2]", "[65535,1.0]"), bytes_of<uint16_t>({65535, 1}));
  check_bytes(input("INT16", "[2]", "[-32768,32767]"), bytes_of<int16_t>({-32768, 32767}));
  check_bytes(input("UINT32", "[1]", "[4294967295]"), bytes_of<uint32_t>({4294967295}));
  check_bytes(input("INT32", "[2]", "[-2147483648,2147483647]"), bytes_of<int32_t>({INT32_MIN, INT32_MAX}));
  check_bytes(input("UINT64", "[2]", R"([18446744073709551615,"18446744073709551615"])"),
              bytes_of<uint64_t>({UINT64_MAX, UINT64_MAX}));
  check_bytes(input("INT64", "[4]", R"([-9223372036854775808,9223372036854775807,"-1",9007199254740993])"),
              bytes_of<int64_t>({INT64_MIN, INT64_MAX, -1, 9007199254740993}));
  check_bytes(input("FP16", "[3]", "[1,-2.5,65504]"), bytes_of<uint16_t>({0x3c00, 0xc100, 0x7bff}));
  check_bytes(input("BF16", "[2]", "[1,-2.5]"), bytes_of<uint16_t>({0x3f80, 0xc020}));
  check_bytes(input("FP64", "[2]", "[0.1,123456789012345678]"), bytes_of({0.1, 123456789012345678.0}));
  check_bytes(input("BYTES", "[3]", R"(["","a\n","\ud83d\ude00é"])"),
              std::string("\0\0\0\0\2\0\0\0a\n\6\0\0\0", 14) + "😀é");
}

TEST_CASE("NaN and the infinities are tokens as Triton's, or strings") {
  constexpr uint16_t kNan = 0x7e00;
  check_bytes(input("FP16", "[7]", R"([NaN,Infinity,-Infinity,Inf,-Inf,"NaN","-Infinity"])"),
              bytes_of<uint16_t>({kNan, 0x7c00, 0xfc00, 0x7c00, 0xfc00, kNan, 0xfc00}));
  CHECK(read(input("INT32", "[1]", "[NaN]")).message == "expected an integer of INT32, got NaN");
  CHECK(read(input("FP32", "[1]", "[Nan]")).message.starts_with("not JSON: expected a value at byte "));
  CHECK(read(R"({"parameters":{"x":NaN},"inputs":[]})").message == "not JSON: expected a value at byte 19, found 'N'");
}

TEST_CASE("the order of members does not matter, and of two with one name the last one counts") {
  const std::string two = bytes_of<int32_t>({1, 2});
  check_bytes(R"({"inputs":[{"data":[1,2],"shape":[2],"name":"x","datatype":"INT32"}]})", two);
  check_bytes(R"({"inputs":[{"datatype":"INT8","shape":[1],"data":[1,2],"shape":[2],"datatype":"INT32"}]})", two);
  check_bytes(R"({"inputs":[{"datatype":"INT32","shape":[2],"data":["no"],"data":[1,2]}]})", two);
  check_bytes(
      R"({"inputs":[{"datatype":"INT32","shape":[1],"data":[7]}],"inputs":[{"datatype":"INT32","shape":[2],"data":[1,2]}]})",
      two);
  check_bytes(R"({"inputs":[{"datatype":"INT32","shape":[2],"data":[1,2],"data":null}]})", "");
  const Outcome escaped = read(R"({"\u0069nputs":[{"datatype":"INT3\u0032","shape":[2],"d\u0061ta":[1,2]}]})");
  CHECK(escaped.header == R"({"\u0069nputs":[{"datatype":"INT3\u0032","shape":[2],"d\u0061ta":8}]})");
  CHECK(escaped.bytes == two);
}

TEST_CASE("data is flat, or nested as the shape is") {
  const std::string four = bytes_of<uint8_t>({1, 2, 3, 4});
  check_bytes(input("UINT8", "[2,2]", "[1,2,3,4]"), four);
  check_bytes(input("UINT8", "[2,2]", "[[1,2],[3,4]]"), four);
  check_bytes(input("UINT8", "[2,1,2]", "[ [ [1,2] ] , [[ 3,4]] ]"), four);
  check_bytes(input("UINT8", "[]", "5"), bytes_of<uint8_t>({5}));
  check_bytes(input("UINT8", "[]", "[5]"), bytes_of<uint8_t>({5}));
  check_bytes(input("UINT8", "[0]", "[]"), "");
  check_bytes(input("UINT8", "[2,0,3]", "[[],[]]"), "");
  check_bytes(input("BYTES", "[2,1]", R"([["a"],["b"]])"), std::string("\1\0\0\0a\1\0\0\0b", 10));
}

struct Refused {
  const char* datatype;
  const char* shape;
  const char* data;
  const char* path;
  const char* message;
};

TEST_CASE("what does not fit is named with its path") {
  const Refused refused[] = {
      {"FP32", "[4]", "[1,2,3,true]", "[3]", "expected a number that FP32 can hold, got true"},
      {"FP32", "[1]", "[1e39]", "[0]", "expected a number that FP32 can hold, got 1e39"},
      {"FP16", "[1]", "[65520]", "[0]", "expected a number that FP16 can hold, got 65520"},
      {"FP64", "[1]", "[1e999]", "[0]", "expected a number that FP64 can hold, got 1e999"},
      {"INT8", "[1,2]", "[[1,128]]", "[0][1]", "expected an integer of INT8, got 128"},
      {"UINT32", "[1]", "[-1]", "[0]", "expected an integer of UINT32, got -1"},
      {"INT64", "[1]", "[9223372036854775808]", "[0]",
       "expected an integer of INT64, as a JSON integer or a decimal string, got 9223372036854775808"},
      {"INT32", "[1]", "[1.5]", "[0]", "expected an integer of INT32, got 1.5"},
      {"BOOL", "[1]", "[2]", "[0]", "expected true or false, got 2"},
      {"BYTES", "[1]", "[5]", "[0]", "expected a string of well-formed Unicode, got 5"},
      {"BYTES", "[1]", R"(["\ud800"])", "[0]", R"(expected a string of well-formed Unicode, got "\ud800")"},
      {"FP32", "[3]", "[1,2]", "", "expected 3 values for shape [3], got 2"},
      {"FP32", "[2,2]", "[[1,2],[3]]", "[1]", "expected 2 values as the shape says, got 1"},
      {"FP32", "[2,2]", "[[1,2],3]", "[1]", "expected an array of 2, got 3"},
      {"FP32", "[2]", R"({"a":1})", "", "expected an array of 2, got an object"},
      {"FP32", "[1]", "[[1]]", "[0]", "expected a number that FP32 can hold, got an array of 1"},
      {"FP32", "[9007199254740991]", "[1]", "", "expected 9007199254740991 values for shape [9007199254740991], got 1"},
  };
  for (const auto& [datatype, shape, data, path, message] : refused) {
    const Outcome outcome = read(input(datatype, shape, data));
    CHECK(outcome.is_json);
    CHECK(outcome.path == "inputs[0].data" + std::string(path));
    CHECK(outcome.message == message);
  }
}

TEST_CASE("what is no JSON is refused with its place") {
  const std::pair<const char*, const char*> refused[] = {
      {"", "not JSON: expected a value at byte 0, found the end"},
      {"{} x", "not JSON: expected the end at byte 3, found 'x'"},
      {"{\"a\":1,}", "not JSON: expected a name in quotes at byte 7, found '}'"},
      {"{\"a\" 1}", "not JSON: expected ':' at byte 5, found '1'"},
      {"[1 2]", "not JSON: expected ',' or ']' at byte 3, found '2'"},
      {"{\"inputs\":[{\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,,2]}]}",
       "not JSON: expected a value at byte 52, found ','"},
      {"{\"inputs\":[{\"datatype\":\"FP32\",\"shape\":[1],\"data\":[01]}]}",
       "not JSON: expected a value at byte 50, found '0'"},
      {"\"a\x01\"", "not JSON: expected the rest of a string at byte 2, found byte 1"},
      {"\"a\xc0\x80\"", "not UTF-8, at byte 2"},
      {"\"\\x\"", "not JSON: expected the rest of a string at byte 1, found '\\'"},
      {"\xef\xbb\xbf{}", "not JSON: expected a value at byte 0, found '\xef\xbb\xbf'"},
  };
  for (const auto& [body, message] : refused) {
    const Outcome outcome = read(body);
    CHECK_FALSE(outcome.is_json);
    CHECK(outcome.message == message);
  }
  CHECK(read(std::string(64, '[') + "1" + std::string(64, ']')).is_json);
  CHECK_FALSE(read(std::string(65, '[') + std::string(65, ']')).is_json);
  CHECK(read(std::string(65, '[') + "1" + std::string(65, ']')).message == "nested deeper than 64, at byte 64");
  CHECK(read(std::string(1'000'000, '[')).message == "nested deeper than 64, at byte 64");
}

TEST_CASE("no damage to a request leads anywhere but to an answer") {
  std::mt19937 random(7);
  const std::string bodies[] = {
      input("FP32", "[2,3]", "[[0.125,-0.0416283,1e-3],[NaN,-Infinity,12345678.9]]"),
      input("INT64", "[3]", R"([1,"-5",9007199254740993])"),
      input("BYTES", "[2]", R"(["a\u00e9\ud83d\ude00","é\\"])"),
      R"({"id":"x","inputs":[{"data":[true,false],"shape":[2],"datatype":"BOOL"},{"name":"y","shape":[1],"datatype":"FP16","data":[0.1]}],"outputs":[{"name":"z"}]})",
  };
  const std::string pieces[] = {
      "[", "]", "{", "}", "\"", "\\", ",", ":", "0.", "-", "e9", "null", "\x80", "\xed\xa0\x80", std::string(1, '\0')};
  for (int i = 0; i < 100'000; ++i) {
    std::string body = bodies[random() % std::size(bodies)];
    for (auto left = 1 + random() % 3; left > 0; --left) {
      const size_t at = random() % (body.size() + 1);
      switch (random() % 4) {
        case 0:
          body.resize(at);
          break;
        case 1:
          body.insert(at, pieces[random() % std::size(pieces)]);
          break;
        case 2:
          if (at < body.size()) body[at] = static_cast<char>(body[at] ^ 1 << random() % 8);
          break;
        default:
          body.erase(at, 1 + random() % 4);
      }
    }
    const Outcome outcome = read(body);
    CHECK((outcome.is_json || !outcome.message.empty()));
  }
}

}  // namespace
}  // namespace headrace::json
