// headrace-engine-loop: what the engine does alone, without a server around it. Prints one line of JSON like
// headrace-loadgen's, with the engine's own counters beside it; exits 1 if anything failed.
//
//   headrace-engine-loop --ort libonnxruntime.so.1 --model FILE --requests FILE --slots N --stateful 1
//
// model_file.h and ../request_file.h tell the forms of the files; the timing is as headrace-loadgen's.

#include <algorithm>
#include <cstdio>
#include <exception>

#include "../arguments.h"
#include "../cpu_time.h"
#include "../json_text.h"
#include "engine_loop.h"

namespace {

using namespace headrace::bench;
using headrace::Stats;

struct Timing {
  double warmup;
  double atLeast;
  double atMost;
  double window;
  double lastAnswers;
};

Timing timingOf(const Arguments& arguments) {
  const double seconds = arguments.seconds("seconds", 3);
  const Timing timing{.warmup = arguments.seconds("warmup", 1),
                      .atLeast = seconds,
                      .atMost = arguments.seconds("max-seconds", seconds),
                      .window = arguments.seconds("window", seconds / 3),
                      .lastAnswers = arguments.seconds("last-answers", 1)};
  if (timing.window <= 0) throw UsageError("--seconds and --window are above 0");
  return timing;
}

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

/// What the engine counted between two readings: microseconds of a step in each phase, and runs by their rows.
std::string enginesJson(const Stats& before, const Stats& after) {
  const std::uint64_t steps = after.phases.count - before.phases.count;
  const auto mean = [steps](headrace::Nanos from, headrace::Nanos to) {
    return steps == 0 ? 0 : static_cast<double>(to - from) / static_cast<double>(steps) / 1e3;
  };
  std::string sizes = "[";
  for (std::size_t rows = 0; rows < after.runs.size(); ++rows) {
    const std::uint64_t runs = after.runs[rows].runs - (rows < before.runs.size() ? before.runs[rows].runs : 0);
    if (runs == 0) continue;
    if (sizes.size() > 1) sizes += ',';
    sizes.append(1, '[').append(std::to_string(rows)).append(1, ',').append(std::to_string(runs)).append(1, ']');
  }
  const std::string phases = JsonObject()
                                 .number("queue", mean(before.phases.queue, after.phases.queue))
                                 .number("gather", mean(before.phases.gather, after.phases.gather))
                                 .number("run", mean(before.phases.run, after.phases.run))
                                 .number("scatter", mean(before.phases.scatter, after.phases.scatter))
                                 .text();
  return JsonObject().raw("phases", phases).raw("batch_sizes", sizes + "]").members();
}

void measureWindows(EngineLoop& loop, Measurement& measurement, const Timing& timing, Nanos begin) {
  Nanos end = begin;
  bool isEnough = false;
  while (!isEnough && loop.inFlight() > 0) {
    end += nanosOf(timing.window);
    loop.pump(end);
    measurement.closeWindow(now());
    const Window& window = measurement.windows().back();
    say("{\"window\":" + JsonObject().number("rate", window.rate).number("p99_us", window.p99Micros).text() + "}");
    isEnough =
        end >= begin + nanosOf(timing.atLeast) && (end >= begin + nanosOf(timing.atMost) || measurement.isStable());
  }
  measurement.end(now());
}

int measure(const Arguments& arguments) {
  const Timing timing = timingOf(arguments);
  const RequestFile steps = readRequestFile(arguments.text("requests"));
  const ModelFile model = readModelFile(arguments.text("model"));
  headrace::open_onnxruntime(arguments.text("ort"));
  headrace::Engine engine(model.config);
  Measurement measurement(false);
  EngineLoop loop(engine, steps, model.inputs,
                  {.slots = arguments.whole("slots", 1),
                   .stateful = arguments.whole("stateful", 0) != 0,
                   .min_length = static_cast<std::uint32_t>(arguments.whole("min-length", 0)),
                   .max_length = static_cast<std::uint32_t>(arguments.whole("max-length", 0)),
                   .seed = static_cast<std::uint32_t>(arguments.whole("seed", 1))},
                  measurement);

  loop.start();
  loop.pump(now() + nanosOf(timing.warmup));
  const Stats before = engine.scheduler().stats();
  const double cpuBefore = ownCpuSeconds();
  const Nanos busyBefore = loop.busy();
  const Nanos begin = now();
  measurement.begin(begin);
  measureWindows(loop, measurement, timing, begin);
  const Stats after = engine.scheduler().stats();
  const double seconds = std::max(measurement.seconds(), 1e-9);
  const std::string use = JsonObject()
                              .number("client_busy_fraction", secondsOf(loop.busy() - busyBefore) / seconds)
                              .boolean("saturated", false)
                              .number("server_cpu_fraction", (ownCpuSeconds() - cpuBefore) / seconds)
                              .members();

  loop.finish(now() + nanosOf(timing.lastAnswers));
  measurement.leave(loop.inFlight());
  say("{" + measurement.json() + "," + use + "," + enginesJson(before, after) + "}");
  return measurement.isGood() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  return measure(
      Arguments({argv + 1, argv + argc}, {"ort", "model", "requests", "slots", "stateful", "min-length", "max-length",
                                          "seed", "warmup", "seconds", "max-seconds", "window", "last-answers"}));
} catch (const UsageError& error) {
  std::fprintf(stderr, "headrace-engine-loop: %s\n", error.what());
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "headrace-engine-loop: %s\n", error.what());
  return 1;
}
