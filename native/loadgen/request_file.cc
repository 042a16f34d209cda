#include "request_file.h"

#include <fstream>
#include <stdexcept>

#include "little_endian.h"

namespace headrace::bench {

namespace {

constexpr std::string_view kMagic = "HRQ1";
constexpr std::uint64_t kFirstName = 1'000'000'000;

std::uint32_t readNumber(std::istream& in) {
  unsigned char bytes[4] = {};
  in.read(reinterpret_cast<char*>(bytes), sizeof bytes);
  std::uint32_t number = 0;
  for (int i = 3; i >= 0; --i) number = number << 8 | bytes[i];
  return number;
}

RequestBody readBody(std::istream& in) {
  RequestBody body;
  const std::size_t size = readNumber(in);
  body.gap = readNumber(in);
  body.bytes.resize(size);
  in.read(body.bytes.data(), static_cast<std::streamsize>(size));
  return body;
}

}  // namespace

RequestFile readRequestFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::string magic(kMagic.size(), '\0');
  in.read(magic.data(), static_cast<std::streamsize>(magic.size()));
  RequestFile file;
  file.gap = static_cast<Gap>(readNumber(in));
  file.forms = readNumber(in);
  const std::size_t steps = readNumber(in);
  if (!in || magic != kMagic || file.gap > Gap::number || (file.forms != 1 && file.forms != 4) || steps == 0) {
    throw std::runtime_error(path + " is no file of requests");
  }
  for (std::size_t i = 0; i < steps * file.forms; ++i) {
    file.bodies.push_back(readBody(in));
    const RequestBody& body = file.bodies.back();
    const std::size_t gap = gapText(file.gap, 0).size();
    if (!in || (gap > 0 && body.gap + gap > body.bytes.size())) throw std::runtime_error(path + " ends too early");
  }
  return file;
}

std::string gapText(Gap gap, std::uint64_t number) {
  switch (gap) {
    case Gap::none:
      return "";
    case Gap::number:
      return littleEndian(number, 4);
    case Gap::digits:
      return std::to_string(kFirstName + number);
    case Gap::varint: {
      std::string bytes;
      std::uint64_t rest = kFirstName + number;
      for (; rest >= 0x80; rest >>= 7) bytes += static_cast<char>((rest & 0x7F) | 0x80);
      return bytes + static_cast<char>(rest);
    }
  }
  throw std::logic_error("a gap of no kind");
}

}  // namespace headrace::bench
