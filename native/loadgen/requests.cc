#include "requests.h"

#include <charconv>
#include <cstring>
#include <random>
#include <vector>

#include "arguments.h"
#include "grpc.h"
#include "http_reply.h"
#include "http_template.h"
#include "little_endian.h"
#include "websocket.h"

namespace headrace::bench {

namespace {

/// Quiet noise: neither silence, which could take short cuts, nor anything that saturates a recurrent state.
std::vector<float> noise(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-0.1f, 0.1f);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random);
  return values;
}

std::string bytesOf(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// The shortest digits that give the same floats back, which is what is kindest to a server that must parse them.
std::string jsonListOf(const std::vector<float>& values) {
  std::string list = "[";
  for (const float value : values) {
    char digits[32];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    if (list.size() > 1) list += ',';
    list.append(digits, end);
  }
  return list + "]";
}

std::string post(const Workload& workload, const std::string& headers, const std::string& body) {
  return "POST " + workload.path + " HTTP/1.1\r\nHost: " + workload.host + "\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string v2Request(const Workload& workload, std::uint32_t stream, const std::string& tensor) {
  const std::string json =
      "{\"parameters\":{\"sequence_id\":" + std::to_string(stream) +
      ",\"binary_data_output\":true},\"inputs\":[{\"name\":\"" + workload.input + "\",\"shape\":[1," +
      std::to_string(workload.floats) +
      "],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":" + std::to_string(tensor.size()) + "}}]}";
  const std::string headers =
      "Content-Type: application/octet-stream\r\nInference-Header-Content-Length: " + std::to_string(json.size()) +
      "\r\n";
  return post(workload, headers, json + tensor);
}

std::string v2JsonRequest(const Workload& workload, std::uint32_t stream, const std::string& list) {
  const std::string json = "{\"parameters\":{\"sequence_id\":" + std::to_string(stream) + "},\"inputs\":[{\"name\":\"" +
                           workload.input + "\",\"shape\":[1," + std::to_string(workload.floats) +
                           "],\"datatype\":\"FP32\",\"data\":" + list + "}]}";
  return post(workload, "Content-Type: application/json\r\n", json);
}

std::string requestOf(const Workload& workload, std::uint32_t index) {
  const std::uint32_t stream = index + 1;  // 0 means "no sequence" on the V2 wire
  const std::vector<float> values = noise(workload.floats, stream);
  switch (workload.mode) {
    case Mode::wsRaw:
      return binaryFrame(bytesOf(values), std::mt19937(~stream)());
    case Mode::httpV2:
      return v2Request(workload, stream, bytesOf(values));
    case Mode::grpc:
      return grpcFrames(
          workload.host, "",
          inferMessage({.model = workload.path, .input = workload.input, .sequenceInput = workload.sequenceInput},
                       stream, bytesOf(values)));
    case Mode::httpV2Json:
      return v2JsonRequest(workload, stream, jsonListOf(values));
    case Mode::httpJson:
      return post(workload, "Content-Type: application/json\r\n",
                  "{\"stateId\":\"stream-" + std::to_string(stream) + "\",\"input\":" + jsonListOf(values) + "}");
    case Mode::httpPredict:
      return post(workload, "Content-Type: application/json\r\n",
                  "{\"inputs\":{\"" + workload.input + "\":" + std::to_string(stream) + "},\"stateId\":\"stream-" +
                      std::to_string(stream) + "\"}");
    case Mode::httpTemplate: {
      const std::string tensor = bytesOf(values);
      const std::string list = jsonListOf(values);
      return post(workload, headerLines(workload.headers),
                  fillTemplate(workload.body, {.stream = stream, .list = list, .tensor = tensor}));
    }
  }
  throw std::logic_error("a mode without a request");
}

HttpExpectation::Body bodyOf(Mode mode) {
  if (mode == Mode::httpV2) return HttpExpectation::Body::v2Binary;
  if (mode == Mode::httpTemplate) return HttpExpectation::Body::bytes;
  if (mode == Mode::httpV2Json) return HttpExpectation::Body::v2Json;
  return mode == Mode::httpJson ? HttpExpectation::Body::jsonList : HttpExpectation::Body::jsonObject;
}

}  // namespace

Mode modeOf(const std::string& name) {
  if (name == "ws-raw") return Mode::wsRaw;
  if (name == "http-v2") return Mode::httpV2;
  if (name == "http-v2-json") return Mode::httpV2Json;
  if (name == "http-json") return Mode::httpJson;
  if (name == "grpc") return Mode::grpc;
  if (name == "http-predict") return Mode::httpPredict;
  if (name == "http-template") return Mode::httpTemplate;
  throw UsageError("--mode is ws-raw, http-v2, http-v2-json, http-json, grpc, http-predict or http-template, not \"" +
                   name + "\"");
}

std::vector<std::string> requestsOf(const Workload& workload, std::size_t connections) {
  std::vector<std::string> requests;
  for (std::size_t slot = 0; slot < connections * workload.inFlight; ++slot) {
    const auto connection = static_cast<std::uint32_t>(slot % connections);
    const auto number = static_cast<std::uint32_t>(slot / connections);
    const auto stream = static_cast<std::uint32_t>(connection * workload.inFlight) + number;
    if (workload.shared) {
      const std::string tensor = bytesOf(noise(workload.floats, stream + 1));
      requests.push_back(binaryFrame(littleEndian(number, 4) + tensor, std::mt19937(~(stream + 1))()));
    } else {
      requests.push_back(requestOf(workload, workload.mode == Mode::grpc ? stream : connection));
    }
  }
  return requests;
}

std::unique_ptr<ReplyReader> readerOf(const Workload& workload) {
  if (workload.mode == Mode::wsRaw) return std::make_unique<WebSocketReader>(workload.replySize, workload.shared);
  if (workload.mode == Mode::grpc) return std::make_unique<GrpcReader>(workload.replySize, workload.inFlight);
  return std::make_unique<HttpReader>(HttpExpectation{.body = bodyOf(workload.mode), .size = workload.replySize});
}

}  // namespace headrace::bench
