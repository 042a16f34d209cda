// The hot path allocates nothing once it is warm: counted in the program's operator new.
#include <doctest/doctest.h>

#include <algorithm>

#include "allocations.h"
#include "client.h"
#include "served.h"

namespace headrace {
namespace {

using testing::Client;
using testing::Served;

// Allocations of `work` on this thread.
template <typename Work>
uint64_t allocations_of(Work&& work) {
  testing::start_counting_allocations();
  work();
  return testing::stop_counting_allocations();
}

// One turn with `steps` steps of as many state ids, two for the first: what submit, drain and release allocate. Running
// is ONNX Runtime's and not counted.
uint64_t turn(Served& served, const std::vector<StepSpec>& specs, bool hold) {
  static std::vector<Completion> completions;
  static std::vector<uint32_t> indices;
  static const auto queue = std::make_shared<CompletionQueue>([] {});
  const float x[4] = {1, 2, 3, 4};
  const InputBytes input{reinterpret_cast<const std::byte*>(x), sizeof(x)};
  uint64_t counted = allocations_of([&] {
    uint32_t index = 0;
    for (StepSpec spec : specs) {
      spec.hold = hold;
      served.scheduler.submit(*queue, spec, {&input, 1}, index);
    }
  });
  for (size_t done = 0; done < specs.size();) {
    served.scheduler.run_inline(kForever, queue.get());
    counted += allocations_of([&] {
      queue->drain(completions);
      indices.clear();
      for (const Completion& completion : completions) indices.push_back(completion.request);
      served.scheduler.release(indices, hold);
    });
    done += indices.size();
  }
  served.scheduler.detach(*queue);
  return counted;
}

TEST_CASE("submit, drain and release of warm state ids allocate nothing") {
  Served served("accumulator");
  std::vector<StepSpec> specs;
  for (int id = 0; id < 8; ++id) specs.push_back(served.of(std::to_string(id)));
  specs.push_back(specs.front());
  for (const bool hold : {false, true}) {
    CAPTURE(hold);
    for (int warm = 0; warm < 30; ++warm) turn(served, specs, hold);
    for (int round = 0; round < 10; ++round) CHECK(turn(served, specs, hold) == 0);
  }
}

TEST_CASE("a step's share of a run is what ONNX Runtime takes, and nothing that grows with the rows") {
  Served served("accumulator", {.max_batch = 64});
  auto queue = std::make_shared<CompletionQueue>([] {});
  std::vector<StepSpec> specs;
  for (int id = 0; id < 64; ++id) specs.push_back(served.of(std::to_string(id)));
  const float x[4] = {1, 2, 3, 4};
  const InputBytes input{reinterpret_cast<const std::byte*>(x), sizeof(x)};
  std::vector<Completion> completions;
  const auto run_of = [&](size_t rows) {
    std::vector<uint32_t> indices(rows);
    for (size_t i = 0; i < rows; ++i) served.scheduler.submit(*queue, specs[i], {&input, 1}, indices[i]);
    const uint64_t counted = allocations_of([&] { served.scheduler.run_inline(kForever, queue.get()); });
    queue->drain(completions);
    served.scheduler.release(indices, false);
    return counted;
  };
  for (int warm = 0; warm < 3; ++warm) {
    run_of(64);
    run_of(1);
  }
  const uint64_t full = run_of(64);
  CHECK(full <= run_of(1));
}

TEST_CASE("batches and requests are reused: a long time of traffic takes no more memory than a short one") {
  Served served("accumulator", {.lanes = 2});
  Client client(served);
  uint32_t highest_request = 0;
  uint32_t highest_batch = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint32_t> steps;
    for (int i = 0; i < 10; ++i) steps.push_back(client.submit<float>(served.of(std::to_string(i)), {1, 2, 3, 4}));
    for (const uint32_t step : steps) {
      highest_request = std::max(highest_request, step);
      highest_batch = std::max(highest_batch, client.wait(step).batch);
      client.release(step);
    }
  }
  CHECK(highest_request < 10);
  CHECK(highest_batch < 16);
}

}  // namespace
}  // namespace headrace
