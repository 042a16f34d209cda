// Loading models: what the probe finds out, which types pass through unchanged, and what is refused.
#include "model_session.h"

#include <doctest/doctest.h>

#include "client.h"
#include "models.h"
#include "served.h"

namespace headrace {
namespace {

using testing::Client;
using testing::contains;
using testing::error_of;
using testing::model;
using testing::Served;

TEST_CASE("a missing file and a file that is no model are told apart") {
  const auto missing = error_of([] { ModelSession session(model("nowhere"), cpu_device()); });
  CHECK(missing.first == Code::ModelNotFound);
  CHECK(contains(missing.second, "nowhere.onnx"));
  ModelConfig script = model("accumulator");
  script.path.replace(script.path.rfind('/'), std::string::npos, "/make_models.py");
  CHECK(error_of([&] { ModelSession session(script, cpu_device()); }).first == Code::ModelInvalid);
}

TEST_CASE("the probe finds rows that are mixed, and batching is refused with the shapes") {
  for (const char* name : {"mixes_rows", "nonzero", "compress"}) {
    CAPTURE(name);
    const ModelSession session(model(name), cpu_device());
    CHECK_FALSE(session.plan().batchable);
    CHECK(contains(session.plan().why_not_batchable, "for one row and"));
    CHECK(session.plan().outputs[0].batch_axis == kNoAxis);
  }
}

TEST_CASE("an output without batch axis prevents batching also where no probe can run") {
  const ModelSession session(model("mixes_rows_dynamic"), cpu_device());
  CHECK_FALSE(session.plan().batchable);
  CHECK(contains(session.plan().why_not_batchable, "'total'"));
}

TEST_CASE("a state that loses its rows prevents batching") {
  const ModelSession session(model("state_mixes_rows"), cpu_device());
  REQUIRE(session.plan().states.size() == 1);
  CHECK_FALSE(session.plan().batchable);
  CHECK(contains(session.plan().why_not_batchable, "stateN"));
}

TEST_CASE("a state that the model answers with another shape is refused at load") {
  ModelConfig config = model("state_axis1");
  config.state = std::vector<StatePair>{{"x", "y", 0}, {"h_in", "h_out", 1}};
  CHECK(error_of([&] { ModelSession session(config, cpu_device()); }).first == Code::ModelInvalid);
}

TEST_CASE("zeros that a model refuses do not prevent loading") {
  const ModelSession session(model("refuses_zeros"), cpu_device());
  CHECK(session.plan().batchable);
  CHECK(session.plan().outputs[0].fixed);
}

TEST_CASE("an output of unknown rank is taken as it comes") {
  Served served("unknown_rank");
  Client client(served);
  const std::vector<std::byte> x = testing::bytes_of<float>({1, 2, 3, 4});
  const std::vector<std::byte> target = testing::bytes_of<int64_t>({2, 2});
  uint32_t index = 0;
  REQUIRE(served.scheduler.begin(client.queue(), {}, {{1, 4}, {2}}, index) == Code::Ok);
  CHECK(served.scheduler.append(index, 0, x) == Code::Ok);
  CHECK(served.scheduler.append(index, 1, target) == Code::Ok);
  CHECK(served.scheduler.publish(index) == Code::Ok);
  CHECK(client.wait(index).code == Code::Ok);
  const OutputCopy copy = served.scheduler.read_output(index, 0);
  CHECK(copy.shape == Shape{2, 2});
  CHECK(copy.bytes == x);
  client.release(index);
}

TEST_CASE("every element type passes through unchanged, several rows at a time") {
  for (const auto& [name, size] : std::vector<std::pair<std::string, size_t>>{{"bool", 1},
                                                                              {"int8", 1},
                                                                              {"uint8", 1},
                                                                              {"int16", 2},
                                                                              {"uint16", 2},
                                                                              {"int32", 4},
                                                                              {"uint32", 4},
                                                                              {"int64", 8},
                                                                              {"uint64", 8},
                                                                              {"float16", 2},
                                                                              {"bfloat16", 2},
                                                                              {"float", 4},
                                                                              {"double", 8}}) {
    CAPTURE(name);
    Served served("identity_" + name);
    Client client(served);
    std::vector<uint32_t> steps;
    const auto row = [&, bytes = size](int seed) {
      std::vector<std::byte> result(3 * bytes);
      for (size_t i = 0; i < result.size(); ++i) {
        result[i] = static_cast<std::byte>(name == "bool" ? (i + seed) % 2 : i * 7 + seed);
      }
      return result;
    };
    for (int i = 0; i < 3; ++i) steps.push_back(client.submit_bytes({}, row(i)));
    for (int i = 0; i < 3; ++i) {
      CHECK(client.wait(steps[i]).code == Code::Ok);
      CHECK(client.read<std::byte>(steps[i]) == row(i));
      client.release(steps[i]);
    }
    CHECK(served.scheduler.stats().batches == 1);
  }
}

TEST_CASE("constants take the place of inputs, in every row") {
  ModelConfig config = model("scaled");
  config.constants = {{"scale", testing::bytes_of<float>({2, 3})}, {"offset", int64_t{100}}};
  Served served(config);
  REQUIRE(served.session.plan().inputs.size() == 1);
  Client client(served);
  const uint32_t one = client.submit<float>({}, {1, 1});
  const uint32_t two = client.submit<float>({}, {2, 2});
  CHECK(client.result(one) == std::vector<float>{102, 103});
  CHECK(client.result(two) == std::vector<float>{104, 106});
}

TEST_CASE("the fingerprint tells models apart, and nothing else") {
  const uint64_t accumulator = ModelSession(model("accumulator"), cpu_device()).fingerprint();
  CHECK(ModelSession(model("accumulator"), cpu_device()).fingerprint() == accumulator);
  CHECK(ModelSession(model("ledger"), cpu_device()).fingerprint() != accumulator);
  CHECK(ModelSession(model("identity_int16"), cpu_device()).fingerprint() !=
        ModelSession(model("identity_int32"), cpu_device()).fingerprint());
}

}  // namespace
}  // namespace headrace
