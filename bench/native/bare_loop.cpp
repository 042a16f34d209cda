// bare_loop: how fast ONNX Runtime runs a recurrent model on one thread when nothing else is in the way. The yardstick
// of the throughput targets, and the model's own share of a step's latency. Prints one line of JSON.
//
//   bare_loop --ort libonnxruntime.so.1 --model gru512.onnx --kind gru --batch 64 --seconds 3 --warmup 1

#include <cstdio>
#include <exception>

#include "arguments.h"
#include "bare_model.h"
#include "clock.h"
#include "cpu_time.h"
#include "histogram.h"
#include "json_text.h"

namespace {

using namespace headrace::bench;

struct Measured {
  std::uint64_t steps = 0;
  double seconds = 0;
  double cpuSeconds = 0;
  Histogram latencies;
};

Measured stepFor(BareModel& model, double seconds) {
  Measured measured;
  const double cpuBefore = ownCpuSeconds();
  const Nanos begin = now();
  const Nanos until = begin + nanosOf(seconds);
  Nanos last = begin;
  while (last < until) {
    model.step();
    const Nanos time = now();
    measured.latencies.record(time - last);
    measured.steps += 1;
    last = time;
  }
  measured.seconds = secondsOf(last - begin);
  measured.cpuSeconds = ownCpuSeconds() - cpuBefore;
  return measured;
}

void measure(const Arguments& arguments) {
  const std::string version = loadOnnxRuntime(arguments.text("ort"));
  const auto batch = arguments.whole("batch", 64);
  if (batch == 0) throw UsageError("--batch is at least 1");
  const double seconds = arguments.seconds("seconds", 3);
  if (seconds == 0) throw UsageError("--seconds is more than 0");
  BareModel model(arguments.text("model"), specOf(arguments.text("kind"), static_cast<std::int64_t>(batch)));

  stepFor(model, arguments.seconds("warmup", 1));
  const Measured measured = stepFor(model, seconds);
  model.check();
  const std::string line = JsonObject()
                               .string("ort_version", version)
                               .count("batch", batch)
                               .count("steps", measured.steps)
                               .number("seconds", measured.seconds)
                               .number("rate", static_cast<double>(measured.steps * batch) / measured.seconds)
                               .raw("latency_us", measured.latencies.json())
                               .number("cpu_fraction", measured.cpuSeconds / measured.seconds)
                               .text();
  std::puts(line.c_str());
}

}  // namespace

int main(int argc, char** argv) try {
  measure(Arguments({argv + 1, argv + argc}, {"ort", "model", "kind", "batch", "seconds", "warmup"}));
  return 0;
} catch (const headrace::bench::UsageError& error) {
  std::fprintf(stderr, "bare_loop: %s\n", error.what());
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare_loop: %s\n", error.what());
  return 1;
}
