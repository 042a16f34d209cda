// Infer requests of V2, all JSON or with binary tensors, as the thread that owns the socket answers them: whatever the
// body is, one answer comes, the engine's or JavaScript's, and JavaScript gets the body as it was sent.
//
// An input is the body. In front of it: a byte for the head that it has, one for what happens meanwhile, and two for
// the length of its JSON.
#include "infer_requests.h"

#include "grammar.h"
#include "pieces.h"
#include "served_model.h"

namespace headrace::fuzz {
namespace {

const std::string kPath = "/v2/models/ledger/infer";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

// What JavaScript answers: no answer of the engine has that status.
constexpr std::string_view kMine = "299 Mine\r\n";

struct Host : ServedModel {
  Host() {
    const auto spec = std::make_shared<InferSpec>();
    spec->model_name = "ledger";
    spec->model_version = "1";
    spec->inputs = {{"x", json::Datatype::Fp32, {-1, 2}, 0, 0, kRowBytes}};
    spec->outputs = {{"y", json::Datatype::Fp32, {-1, 2}, 0, 0, kRowBytes}};
    spec->max_body = 1 << 20;
    thread.post_and_wait([&] {
      model = std::make_shared<InferModel>(client, spec);
      requests = std::make_unique<InferRequests>(thread);
      requests->serve(model, {kPath});
    });
  }

  std::shared_ptr<InferModel> model;
  std::unique_ptr<InferRequests> requests;
};

// Never destroyed: its thread would have to end before what it uses.
Host& host() {
  static Host& host = *new Host();
  return host;
}

namespace head_bits {
constexpr uint8_t kBinary = 1;
constexpr uint8_t kTakesGzip = 2;
constexpr uint8_t kRequestId = 4;
constexpr uint8_t kEncoding = 8;
constexpr uint8_t kWrongLength = 16;
constexpr uint8_t kThrice = 128;  // a header that comes again is looked up
}  // namespace head_bits

namespace event_bits {
constexpr uint8_t kRemoved = 1;    // the model goes
constexpr uint8_t kCancelled = 2;  // steps are given up
constexpr uint8_t kLeft = 4;       // the client goes
}  // namespace event_bits

std::string head_of(uint8_t how, size_t header_bytes, size_t body_bytes) {
  std::string head = "POST " + kPath + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body_bytes);
  if ((how & head_bits::kBinary) != 0) {
    head += "\r\nInference-Header-Content-Length: " + std::to_string(header_bytes);
    if ((how & head_bits::kWrongLength) != 0) head += "x";
  }
  if ((how & head_bits::kTakesGzip) != 0) head += "\r\nAccept-Encoding: gzip";
  if ((how & head_bits::kRequestId) != 0) head += "\r\nX-Request-Id: 7";
  if ((how & head_bits::kEncoding) != 0) head += "\r\nContent-Encoding: gzip";
  return head.append(kHeadEnd);
}

// While rows of a request are under way, if they are: those of one that has more than a batch are for several turns.
void happen(uint8_t what) {
  host().thread.post_and_wait([what] {
    Host& served = host();
    if (served.client->under_way() == 0) return;
    if ((what & event_bits::kCancelled) != 0)
      for (uint32_t request = 0; request < served.client->under_way(); ++request)
        served.engine->scheduler().cancel(request, Code::DeadlineExceeded);
    if ((what & event_bits::kRemoved) == 0) return;
    served.requests->remove(served.model);
    served.requests->serve(served.model, {kPath});
  });
}

size_t number_after(std::string_view head, std::string_view field) {
  const size_t at = head.find(field);
  return at == std::string_view::npos ? SIZE_MAX : std::stoul(std::string(head.substr(at + field.size(), 20)));
}

// One whole answer and nothing after it.
void check_answer(std::string_view answer) {
  const size_t head_bytes = answer.find(kHeadEnd);
  demand(answer.starts_with("HTTP/1.1 ") && head_bytes != std::string_view::npos, "a head");
  const std::string_view head = answer.substr(0, head_bytes);
  const std::string_view body = answer.substr(head_bytes + kHeadEnd.size());
  demand(number_after(head, "\r\nContent-Length: ") == body.size(), "one answer, as long as it says");
  if (answer.starts_with("HTTP/1.1 299")) return;
  const size_t json_bytes = std::min(number_after(head, "Inference-Header-Content-Length: "), body.size());
  const std::string text(body.substr(0, json_bytes));
  json::Grammar grammar(text.data(), text.data() + text.size());
  const char* const after = grammar.skip_value(text.data(), 0, true);
  demand(after != nullptr && grammar.space(after) == grammar.end(), "whose JSON is JSON");
  demand((body.size() - json_bytes) % kRowBytes == 0, "and whose tensors are rows");
}

// Sends a request and plays JavaScript's part until its answer is there.
void exchange(SocketClient& client, uint8_t what, const std::string& head, std::string_view body) {
  client.received().clear();
  client.send(head);
  client.send(body);
  for (int turn = 0; turn < 4 && what != 0; ++turn) happen(what);
  if ((what & event_bits::kLeft) != 0) client.leave();
  std::string told;
  bool more = true;
  while (more) {
    host().settle();
    more = read_events(host().thread, [&](const Event& event, std::string_view, std::string_view piece) {
      if (event.kind == EventKind::Aborted && (what & event_bits::kLeft) != 0) return;
      demand(event.kind == EventKind::Request || event.kind == EventKind::Body, "a request, and all of it");
      told.append(piece);
      if ((event.flags & event_flags::kBodyComplete) == 0) return;
      demand(told == body, "JavaScript gets what was sent");
      CommandBatch batch;
      batch.commands.push_back({.kind = CommandKind::Respond, .connection = event.connection});
      batch.commands.back().head_bytes = kMine.size();
      const auto bytes = std::as_bytes(std::span(kMine));
      batch.bytes.assign(bytes.begin(), bytes.end());
      host().thread.submit(batch);
    });
  }
  if ((what & event_bits::kLeft) != 0) return;
  client.receive();
  demand(!client.is_at_end(), "no body ends a connection");
  check_answer(client.received());
}

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace::fuzz;
  if (size < 4) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data + 4), size - 4);
  const std::string head = head_of(data[0], data[2] | data[3] << 8, body.size());
  SocketClient client(host());
  const bool is_repeated = (data[0] & head_bits::kThrice) != 0 && (data[1] & event_bits::kLeft) == 0;
  for (int turn = 0; turn < (is_repeated ? 3 : 1); ++turn) exchange(client, data[1] & 7, head, body);
  client.leave();
  settle_leaving(host().shared, [] {
    host().settle();
    read_events(host().thread, [](const auto&, std::string_view, std::string_view) {});
  });
  demand(host().shared.connections.load() == 0, "connections are counted");
  demand(host().model->counts.under_way == 0, "and requests");
  return 0;
}
