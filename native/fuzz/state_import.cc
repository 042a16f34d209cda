// A state as bytes, as another process would hand it over: what is no state of this model leaves none, what is one
// comes out again as it went in, and a step can be made from it.
//
// The first byte of an input says how much of the header is right: all of it (bit 0), or what the input itself has.

#include "pieces.h"
#include "property.h"
#include "served_model.h"

namespace headrace::fuzz {
namespace {

constexpr size_t kHeaderBytes = 24;

// The model, and a state of it as it is exported.
struct Host {
  Host() {
    open_onnxruntime(HEADRACE_ORT_LIBRARY);
    step(engine.scheduler().pin("model"));
    demand(engine.scheduler().export_state("model", sample) == Code::Ok, "a state can be exported");
    demand(sample.size() > kHeaderBytes, "a state has a header and a record");
  }

  // Whatever is in the state, the model runs on it.
  void step(uint32_t key) {
    const std::array<float, 2> row{1, 1};
    const InputBytes input{reinterpret_cast<const std::byte*>(row.data()), sizeof row};
    StepSpec spec;
    spec.state = key;
    uint32_t index = 0;
    demand(engine.scheduler().submit(*queue, spec, {&input, 1}, index) == Code::Ok, "a step of any state is taken");
    while (engine.scheduler().run_inline(1'000'000, queue.get())) {
    }
    queue->drain(completions);
    demand(completions.size() == 1 && completions[0].code == Code::Ok, "and made");
    engine.scheduler().release({&index, 1}, false);
  }

  Engine engine{ledger_config()};
  std::shared_ptr<CompletionQueue> queue = std::make_shared<CompletionQueue>([] {});
  std::vector<Completion> completions;
  std::vector<std::byte> sample;
};

void check(Host& host, std::span<const std::byte> bytes) {
  Scheduler& scheduler = host.engine.scheduler();
  const bool is_state = bytes.size() == host.sample.size() &&
                        std::equal(bytes.begin(), bytes.begin() + kHeaderBytes, host.sample.begin());
  const uint32_t before = scheduler.stats().live_states;
  const Code code = scheduler.import_state("other", bytes);
  demand(code == (is_state ? Code::Ok : Code::InvalidArgument), "a state is taken, and nothing else");
  demand(scheduler.stats().live_states == before + (is_state ? 1 : 0), "only a state is kept");
  std::vector<std::byte> out;
  demand(scheduler.export_state("other", out) == (is_state ? Code::Ok : Code::NotFound), "as it was taken");
  if (!is_state) return;
  demand(std::equal(bytes.begin(), bytes.end(), out.begin(), out.end()), "it comes out as it went in");
  const uint32_t key = scheduler.pin("other");
  host.step(key);
  scheduler.drop_state(key);
  scheduler.unpin(key);
}

}  // namespace
}  // namespace headrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace::fuzz;
  static Host host;
  if (size == 0) return 0;
  std::vector<char> bytes = copy_of({reinterpret_cast<const char*>(data + 1), size - 1});
  if ((data[0] & 1) != 0) {
    const auto* const header = reinterpret_cast<const char*>(host.sample.data());
    bytes.insert(bytes.begin(), header, header + kHeaderBytes);
  }
  // Cut where a state would end: a fuzzer does not find the one length by itself.
  if ((data[0] & 2) != 0) bytes.resize(host.sample.size());
  check(host, std::as_bytes(std::span(bytes)));
  return 0;
}
