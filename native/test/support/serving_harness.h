// A server whose I/O threads serve one model by themselves, and what JavaScript does with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine.h"
#include "infer_requests.h"
#include "models.h"
#include "net_client.h"
#include "raw_streams.h"
#include "server_harness.h"

namespace headrace::testing {

class ServingHarness {
 public:
  explicit ServingHarness(const ModelConfig& config, unsigned threads = 1)
      : engine(std::make_shared<Engine>(config)), harness(ServerOptions{.threads = threads}) {
    for (unsigned i = 0; i < threads; ++i) {
      IoThread& thread = harness.server.thread(i);
      thread.post_and_wait([&] {
        clients.push_back(std::make_shared<ModelClient>(thread, engine, 1));
        infer.push_back(std::make_shared<InferRequests>(thread));
      });
    }
  }

  ~ServingHarness() {
    harness.server.stop_listening();
    harness.server.stop(0);
    infer.clear();
    models.clear();
    clients.clear();
  }

  // Opens a raw WebSocket; numbered streams are `base`/0 and so on. Returns its connection.
  uint64_t open_raw(NetClient& client, const RawOptions& options, const WebSocketLimits& limits = {}) {
    client.send(handshake("/stream"));
    const uint64_t id = harness.next().connection;
    IoThread& thread = harness.server.owner_of(id);
    thread.post_and_wait([&] {
      auto streams = std::make_unique<RawStreams>(clients[thread.index()], options);
      for (uint32_t i = 0; i < options.streams; ++i) streams->open(i, options.base + "/" + std::to_string(i), false);
      thread.find(id)->accept("", limits, std::move(streams));
    });
    client.take_until("\r\n\r\n");
    return id;
  }

  // What JavaScript does with a connection's streams.
  template <typename Task>
  void with_streams(uint64_t id, Task&& task) {
    IoThread& thread = harness.server.owner_of(id);
    thread.post_and_wait([&] {
      Connection* const connection = thread.find(id);
      if (connection != nullptr) task(*connection, dynamic_cast<RawStreams&>(*connection->frame_handler()));
    });
  }

  void serve_infer(const InferSpec& spec, const std::vector<std::string>& paths) {
    const auto shared = std::make_shared<const InferSpec>(spec);
    for (size_t i = 0; i < clients.size(); ++i) {
      harness.server.thread(i).post_and_wait([&, i] {
        models.push_back(std::make_shared<InferModel>(clients[i], shared));
        infer[i]->serve(models.back(), paths);
      });
    }
  }

  InferCounts counts() {
    InferCounts sum;
    for (size_t i = 0; i < models.size(); ++i) {
      harness.server.thread(i).post_and_wait([&, i] { sum += models[i]->counts; });
    }
    return sum;
  }

  size_t under_way() {
    size_t sum = 0;
    for (size_t i = 0; i < clients.size(); ++i) {
      harness.server.thread(i).post_and_wait([&, i] { sum += clients[i]->under_way(); });
    }
    return sum;
  }

  std::shared_ptr<Engine> engine;
  Harness harness;
  std::vector<std::shared_ptr<ModelClient>> clients;  // by thread, as all of these
  std::vector<std::shared_ptr<InferRequests>> infer;
  std::vector<std::shared_ptr<InferModel>> models;
};

// The model "ledger": y = (31 * state + x) mod 65521, and y is the new state. Both of its elements are the same here.
inline ModelConfig ledger(Execution execution = Execution::Inline, uint32_t lanes = 0) {
  ModelConfig config = model("ledger");
  config.max_batch = 16;
  config.execution = execution;
  config.lanes = lanes;
  return config;
}

inline uint32_t ledger_step(uint32_t state, uint32_t x) { return (31 * state + x) % 65521; }

// A row of it.
inline std::string ledger_row(uint32_t x) {
  const auto value = static_cast<float>(x);
  std::string row(2 * sizeof value, '\0');
  std::memcpy(row.data(), &value, sizeof value);
  std::memcpy(row.data() + sizeof value, &value, sizeof value);
  return row;
}

inline InferSpec ledger_spec() {
  InferSpec spec;
  spec.model_name = "ledger";
  spec.model_version = "1";
  spec.inputs = {{"x", json::Datatype::Fp32, {-1, 2}, 0, 0, 8}};
  spec.outputs = {{"y", json::Datatype::Fp32, {-1, 2}, 0, 0, 8}};
  spec.max_body = 1 << 20;
  return spec;
}

// An infer request of it over HTTP. `parameters`: the object's text.
inline std::string ledger_request(uint32_t x, const std::string& parameters, bool is_binary) {
  const std::string number = std::to_string(x);
  const std::string data =
      is_binary ? "\"parameters\":{\"binary_data_size\":8}" : "\"data\":[" + number + "," + number + "]";
  const std::string header = "{\"parameters\":" + parameters +
                             ",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,2]," + data + "}]}";
  const std::string body = header + (is_binary ? ledger_row(x) : "");
  std::string head =
      "POST /v2/models/ledger/infer HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size());
  if (is_binary) head += "\r\nInference-Header-Content-Length: " + std::to_string(header.size());
  return head + "\r\n\r\n" + body;
}

}  // namespace headrace::testing
