// headrace-loadgen: load on a model server from one thread of native code, so that one core can keep a server's core
// busy and be seen to have done so. Prints one line of JSON; exits 1 if anything failed.
//
// A closed loop of N connections with M requests in flight each, of noise:
//
//   headrace-loadgen --mode ws-raw --port 8080 --path '/v2/models/gru512/stream?raw=input' --floats 512
//                    --reply-size 32 --connections 16 --in-flight 16 --seconds 3 --warmup 1
//
// `--mode http-template --body '{"id":{{id}},"values":{{list}}}' --headers 'Content-Type: application/json'` posts what
// no other mode does; http_template.h tells the gaps. With `--streams many` each request in flight belongs to a stream
// of its own; the path then ends in `&streams=M`.
//
// The requests of a file (request_file.h), which `headrace bench` writes, in any of three loads:
//
//   --requests FILE --mode http|ws|grpc --slots N --connections C
//   --load closed                                            each slot sends when it was answered
//   --load open --rate 1000 --arrival constant|poisson       whether or not it was
//   --load streams --frame-rate 31.25                        each slot at this cadence
//
// `--scheme https` says that TLS is somebody else's work, between here and the server.
//
// `--max-seconds` more than `--seconds` goes on until the windows (`--window`) are stable. `--progress 1` prints a line
// for each window. `--ask 1` prints a line when the warm-up has had its time, and goes on with it until it reads one:
// who counts what a server does from one moment to another has looked at its counters by then, however busy the machine
// is.

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <stdexcept>

#include "arguments.h"
#include "connection.h"
#include "pacer.h"
#include "run.h"
#include "workload.h"

namespace {

using namespace headrace::bench;

std::unique_ptr<Pacer> pacerOf(const Arguments& arguments, Slots& slots, Measurement& measurement) {
  const std::string load = arguments.text("load", "closed");
  if (load == "closed") return std::make_unique<ClosedPacer>(slots);
  if (load == "streams") {
    return std::make_unique<StreamsPacer>(slots, measurement, arguments.positive("frame-rate"));
  }
  if (load != "open") throw UsageError("--load is closed, open or streams, not \"" + load + "\"");
  const std::string arrival = arguments.text("arrival", "poisson");
  if (arrival != "constant" && arrival != "poisson") throw UsageError("--arrival is constant or poisson");
  const auto kind = arrival == "poisson" ? Arrivals::Kind::poisson : Arrivals::Kind::constant;
  return std::make_unique<OpenPacer>(slots, measurement,
                                     Arrivals(kind, arguments.positive("rate"), arguments.whole("seed", 1)));
}

/// Says that the warm-up is over, and from then on whether somebody has answered.
class Asker {
 public:
  bool operator()() {
    if (!asked_) {
      std::puts("{\"event\":\"warm\"}");
      std::fflush(stdout);
      asked_ = true;
    }
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, 0) <= 0) return false;
    std::array<char, 16> line;
    if (read(STDIN_FILENO, line.data(), line.size()) > 0) return true;
    throw std::runtime_error("whoever measures is gone");
  }

 private:
  bool asked_ = false;
};

RunOptions runOptionsOf(const Arguments& arguments) {
  const double seconds = arguments.seconds("seconds", 3);
  RunOptions options{
      .timing = {.warmup = arguments.seconds("warmup", 1),
                 .atLeast = seconds,
                 .atMost = arguments.seconds("max-seconds", seconds),
                 .window = arguments.seconds("window", seconds / 3),
                 .lastAnswers = arguments.seconds("last-answers", 1)},
      .serverPid = static_cast<pid_t>(arguments.whole("server-pid", 0)),
      .spin = arguments.whole("spin", 1) != 0,
  };
  if (options.timing.window <= 0) throw UsageError("--seconds and --window are above 0");
  if (arguments.whole("progress", 0) != 0) {
    options.onWindow = [](const Window& window) {
      std::printf("{\"window\":{\"rate\":%.3f,\"p99_us\":%.3f}}\n", window.rate, window.p99Micros);
      std::fflush(stdout);
    };
  }
  if (arguments.whole("ask", 0) != 0) options.mayBegin = Asker();
  return options;
}

int measure(const Arguments& arguments) {
  Workplace place = workplaceOf(arguments);
  const RunOptions options = runOptionsOf(arguments);
  Measurement measurement(arguments.text("load", "closed") != "closed");
  Slots slots(place.connections, place.slots, measurement);
  const auto pacer = pacerOf(arguments, slots, measurement);
  const CpuUse use = run(place.connections, slots, *pacer, measurement, options);
  std::printf("{%s,%s}\n", measurement.json().c_str(), use.json().c_str());
  return measurement.isGood() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  return measure(
      Arguments({argv + 1, argv + argc},
                {"mode",        "host",       "port",         "path",       "input",  "floats",   "reply-size",
                 "connections", "in-flight",  "streams",      "seconds",    "warmup", "headers",  "body",
                 "server-pid",  "requests",   "slots",        "load",       "rate",   "arrival",  "frame-rate",
                 "max-seconds", "window",     "last-answers", "min-length", "seed",   "progress", "sequence-input",
                 "spin",        "max-length", "numbered",     "authority",  "ask",    "scheme"}));
} catch (const UsageError& error) {
  std::fprintf(stderr, "headrace-loadgen: %s\n", error.what());
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "headrace-loadgen: %s\n", error.what());
  return 1;
}
