// Models of every layout: batch axes, contexts, open dimensions, strings, outputs that ONNX Runtime sizes.
#include <doctest/doctest.h>

#include "client.h"
#include "served.h"

namespace headrace {
namespace {

using testing::bytes_of;
using testing::Client;
using testing::model;
using testing::Served;
using testing::values_of;

using Floats = std::vector<float>;

// A step whose inputs have open dimensions, one input.
uint32_t submit_shaped(Served& served, Client& client, const StepSpec& spec, const Shape& shape, const Floats& values) {
  uint32_t index = 0;
  REQUIRE(served.scheduler.begin(client.queue(), spec, {shape}, index) == Code::Ok);
  REQUIRE(served.scheduler.append(index, 0, bytes_of(values)) == Code::Ok);
  REQUIRE(served.scheduler.publish(index) == Code::Ok);
  return index;
}

// Of a completed step: shape and values of an output.
std::pair<Shape, Floats> output(Served& served, Client& client, uint32_t index, size_t which) {
  REQUIRE(client.wait(index).code == Code::Ok);
  const OutputCopy copy = served.scheduler.read_output(index, which);
  return {copy.shape, values_of<float>(copy.bytes)};
}

TEST_CASE("a state with its batch axis in the middle: rows stay apart in any batch size") {
  Served served("state_axis1", {.max_batch = 4});
  Client client(served);
  CHECK(served.session.plan().states[0].batch_axis == 1);
  CHECK(served.session.plan().outputs[0].batch_axis == 1);
  std::vector<Floats> sums(5, Floats(3, 0));
  for (int round = 0; round < 4; ++round) {
    std::vector<uint32_t> steps;
    for (int id = 0; id < 5 - round; ++id) {
      const Floats x{static_cast<float>(id), 10.0F + id, static_cast<float>(round)};
      for (size_t i = 0; i < 3; ++i) sums[id][i] += x[i];
      steps.push_back(client.submit(served.of(std::to_string(id)), x));
    }
    for (int id = 0; id < 5 - round; ++id) {
      Floats expected = sums[id];
      expected.insert(expected.end(), sums[id].begin(), sums[id].end());
      CHECK(client.result(steps[id]) == expected);
    }
  }
}

TEST_CASE("two states of different types belong to the same step") {
  Served served("two_states");
  Client client(served);
  CHECK(served.session.plan().states.size() == 2);
  for (int64_t round = 1; round <= 3; ++round) {
    const uint32_t a = client.submit<float>(served.of("a"), {1, 2, 3});
    const uint32_t b = client.submit<float>(served.of("b"), {10, 20, 30});
    const auto f = static_cast<float>(round);
    REQUIRE(client.wait(a).code == Code::Ok);
    REQUIRE(client.wait(b).code == Code::Ok);
    CHECK(client.read<float>(a, 0) == Floats{f, 2 * f, 3 * f});
    CHECK(client.read<int64_t>(a, 1) == std::vector<int64_t>{round});
    CHECK(client.read<float>(b, 0) == Floats{10 * f, 20 * f, 30 * f});
    CHECK(client.read<int64_t>(b, 1) == std::vector<int64_t>{round});
    client.release(a);
    client.release(b);
  }
}

TEST_CASE("time-major data: equal lengths share a batch, others do not, and every row gets its own") {
  Served served("time_major");
  Client client(served);
  const uint32_t a = submit_shaped(served, client, {}, {2, 2}, {1, 2, 3, 4});
  const uint32_t b = submit_shaped(served, client, {}, {3, 2}, {5, 6, 7, 8, 9, 10});
  const uint32_t c = submit_shaped(served, client, {}, {2, 2}, {-1, -2, -3, -4});
  CHECK(output(served, client, a, 0) == std::pair{Shape{2, 2}, Floats{2, 4, 6, 8}});
  CHECK(output(served, client, a, 1) == std::pair{Shape{2}, Floats{3, 4}});
  CHECK(output(served, client, b, 0) == std::pair{Shape{3, 2}, Floats{10, 12, 14, 16, 18, 20}});
  CHECK(output(served, client, c, 0) == std::pair{Shape{2, 2}, Floats{-2, -4, -6, -8}});
  CHECK(output(served, client, c, 1) == std::pair{Shape{2}, Floats{-3, -4}});
  CHECK(served.scheduler.stats().batches == 2);
  CHECK(served.scheduler.stats().batch_sizes[2] == 1);
  for (const uint32_t step : {a, b, c}) client.release(step);
}

TEST_CASE("a context before the batch axis") {
  ModelConfig config = model("time_major_fixed");
  config.context.push_back({"x", 2, 0});
  Served served(config);
  Client client(served);
  CHECK(served.session.plan().inputs[0].row_dims == Shape{3, 2});
  for (const bool again : {false, true}) {
    const Floats old_a = again ? Floats{3, 4, 5, 6} : Floats{0, 0, 0, 0};
    const Floats old_b = again ? Floats{30, 40, 50, 60} : Floats{0, 0, 0, 0};
    const Floats new_a{1, 2, 3, 4, 5, 6};
    const Floats new_b{10, 20, 30, 40, 50, 60};
    const uint32_t a = client.submit(served.of("a"), new_a);
    const uint32_t b = client.submit(served.of("b"), new_b);
    Floats seen_a = old_a;
    Floats seen_b = old_b;
    seen_a.insert(seen_a.end(), new_a.begin(), new_a.end());
    seen_b.insert(seen_b.end(), new_b.begin(), new_b.end());
    CHECK(client.result(a) == seen_a);
    CHECK(client.result(b) == seen_b);
  }
}

TEST_CASE("a context in the middle is kept piece by piece") {
  ModelConfig config = model("context_middle");
  config.context.push_back({"x", 2, 2});
  Served served(config);
  Client client(served);
  const StepSpec a = served.of("a");
  const uint32_t other = client.submit<float>(served.of("b"), {7, 7, 7, 7});
  CHECK(client.step(a, {1, 2, 3, 4}) == Floats{0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 3, 4});
  CHECK(client.step(a, {5, 6, 7, 8}) == Floats{0, 0, 1, 2, 5, 6, 0, 0, 3, 4, 7, 8});
  CHECK(client.step(a, {0, 0, 0, 0}) == Floats{1, 2, 5, 6, 0, 0, 3, 4, 7, 8, 0, 0});
  CHECK(client.outcome(other) == Code::Ok);
}

TEST_CASE("a mask lies on all pieces of a row as it lies on the whole") {
  constexpr size_t kPieces = 3;
  constexpr size_t kPiece = 5;
  constexpr size_t kContext = 3;
  ModelConfig config = model("context_bytes");
  config.context.push_back({"x", kContext, 2});
  Served served(config);
  Client client(served);
  const XorMask mask({0x11, 0x22, 0x44, 0x88});
  std::vector<uint8_t> expected(kPieces * (kContext + kPiece), 0);
  for (uint8_t round = 0; round < 3; ++round) {
    std::vector<std::byte> masked(1 + kPieces * kPiece);  // the frame's bytes begin anywhere
    for (size_t piece = 0; piece < kPieces; ++piece) {
      uint8_t* seen = expected.data() + piece * (kContext + kPiece);
      std::copy(seen + kPiece, seen + kPiece + kContext, seen);
      for (size_t i = 0; i < kPiece; ++i) {
        const auto value = static_cast<uint8_t>(100 * round + 7 * piece + i);
        seen[kContext + i] = value;
        masked[1 + piece * kPiece + i] = std::byte{value};
      }
    }
    mask.copy(masked.data() + 1, masked.data() + 1, masked.size() - 1);
    const InputBytes input{masked.data() + 1, masked.size() - 1, mask};
    uint32_t index = 0;
    REQUIRE(served.scheduler.submit(client.queue(), served.of("a"), {&input, 1}, index) == Code::Ok);
    REQUIRE(client.wait(index).code == Code::Ok);
    CHECK(client.read<uint8_t>(index, 0) == expected);
    client.release(index);
  }
}

TEST_CASE("a context longer than a step is made of several steps; an empty step leaves it as it is") {
  ModelConfig config = model("dynamic_length");
  config.context.push_back({"x", 3, -1});
  Served served(config);
  Client client(served);
  const StepSpec a = served.of("a");
  const auto echo = [&](const Floats& values) {
    const uint32_t step = submit_shaped(served, client, a, {static_cast<int64_t>(values.size())}, values);
    Floats seen = output(served, client, step, 1).second;
    client.release(step);
    return seen;
  };
  CHECK(echo({1}) == Floats{0, 0, 0, 1});
  CHECK(echo({2}) == Floats{0, 0, 1, 2});
  CHECK(echo({}) == Floats{0, 1, 2});
  CHECK(echo({3, 4, 5, 6}) == Floats{0, 1, 2, 3, 4, 5, 6});
  CHECK(echo({7}) == Floats{4, 5, 6, 7});
}

TEST_CASE("steps of changing length reuse batches, growing and shrinking") {
  for (const uint32_t lanes : {0, 2}) {
    Served served("dynamic_length", {.lanes = lanes, .max_batch = 3});
    Client client(served);
    for (const int64_t length : {1, 100, 7, 5000, 2, 100}) {
      std::vector<uint32_t> steps;
      for (int i = 0; i < 7; ++i) {
        steps.push_back(
            submit_shaped(served, client, {}, {length}, Floats(static_cast<size_t>(length), static_cast<float>(i))));
      }
      for (int i = 0; i < 7; ++i) {
        CHECK(client.result(steps[i]) == Floats{static_cast<float>(i) * static_cast<float>(length)});
      }
    }
  }
}

TEST_CASE("rows too large for many of them make small batches") {
  Served served("dynamic_length", {.max_batch = 8});
  Client client(served);
  const int64_t length = 6 << 20;  // 24 MB a row
  std::vector<uint32_t> steps;
  for (int i = 0; i < 3; ++i) steps.push_back(submit_shaped(served, client, {}, {length}, Floats(length, 1)));
  for (const uint32_t step : steps) CHECK(client.result(step)[0] == static_cast<float>(length));
  CHECK(served.scheduler.stats().batch_sizes[2] == 1);
}

// The sanitizers end the program at such an allocation.
TEST_CASE("a step larger than the memory is refused" * doctest::skip(HEADRACE_SANITIZED)) {
  Served served("dynamic_length", {.queue_size = 1});
  Client client(served);
  uint32_t index = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    CHECK(served.scheduler.begin(client.queue(), {}, {{int64_t{1} << 50}}, index) == Code::ResourceExhausted);
  }
  CHECK(served.scheduler.stats().refused == 3);
  CHECK(client.result(submit_shaped(served, client, {}, {2}, {1, 2})) == Floats{3});
}

TEST_CASE("inputs that wait have so many bytes together, and one that is alone as many as it wants") {
  Served served("dynamic_length", {.queue_bytes = 100});
  Client client(served);
  Scheduler& scheduler = served.scheduler;
  const Floats hundred(25, 1);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(hundred));
  const auto begin = [&](size_t floats) {
    uint32_t index = 0;
    CHECK(scheduler.begin(client.queue(), {}, {{static_cast<int64_t>(floats)}}, index) == Code::Ok);
    return index;
  };
  const uint32_t alone = begin(1000);
  for (int piece = 0; piece < 40; ++piece) CHECK(scheduler.append(alone, 0, bytes) == Code::Ok);
  // What is promised does not count, what is brought does.
  const uint32_t second = begin(1000);
  CHECK(scheduler.append(second, 0, bytes.first(4)) == Code::ResourceExhausted);
  scheduler.abandon(second);
  CHECK(scheduler.stats().refused == 1);
  CHECK(scheduler.publish(alone) == Code::Ok);
  CHECK(client.result(alone)[0] == 1000);

  // Those that have gone are not counted any more.
  const uint32_t third = begin(12);
  const uint32_t fourth = begin(13);
  CHECK(scheduler.append(third, 0, bytes.first(48)) == Code::Ok);
  CHECK(scheduler.append(fourth, 0, bytes.first(52)) == Code::Ok);
  CHECK(scheduler.publish(third) == Code::Ok);
  CHECK(scheduler.publish(fourth) == Code::Ok);
  CHECK(client.result(third)[0] == 12);
  CHECK(client.result(fourth)[0] == 13);
}

TEST_CASE("shapes that do not fit the model are refused") {
  Served served("dynamic_length");
  Client client(served);
  uint32_t index = 0;
  const auto begin = [&](std::vector<Shape> shapes) {
    return served.scheduler.begin(client.queue(), {}, std::move(shapes), index);
  };
  CHECK(begin({}) == Code::InvalidArgument);
  CHECK(begin({{1}, {1}}) == Code::InvalidArgument);
  CHECK(begin({{1, 1}}) == Code::InvalidArgument);
  CHECK(begin({{-1}}) == Code::InvalidArgument);
  CHECK(begin({{int64_t{1} << 62}}) == Code::InvalidArgument);
  CHECK(served.scheduler.submit(client.queue(), {}, {}, index) == Code::InvalidArgument);
  const uint32_t step = submit_shaped(served, client, {}, {2}, {1, 2});
  CHECK(client.result(step) == Floats{3});
}

TEST_CASE("no memory for a larger batch refuses the step, and the batch is laid out anew for the next") {
  Served served("dynamic_length");
  Client client(served);
  CHECK(client.result(submit_shaped(served, client, {}, {1}, {1})) == Floats{1});
  served.device.allow(0);
  uint32_t index = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    REQUIRE(served.scheduler.begin(client.queue(), {}, {{1000}}, index) == Code::Ok);
    REQUIRE(served.scheduler.append(index, 0, bytes_of(Floats(1000, 1))) == Code::Ok);
    CHECK(served.scheduler.publish(index) == Code::ResourceExhausted);
  }
  served.device.allow(SIZE_MAX);
  CHECK(client.result(submit_shaped(served, client, {}, {1000}, Floats(1000, 1))) == Floats{1000});
}

TEST_CASE("a successor that finds no memory is refused with a wake-up, and the next one is tried") {
  Served served("dynamic_length");
  Client client(served);
  Client other(served);
  const StepSpec a = served.of("a");
  StepSpec held = a;
  held.hold = true;
  const uint32_t first = submit_shaped(served, client, held, {1}, {1});
  CHECK(client.wait(first).code == Code::Ok);
  const uint32_t second = submit_shaped(served, other, a, {1000}, Floats(1000, 1));
  served.device.allow(0);
  client.release(first, true);
  CHECK(other.wakes() == 1);
  CHECK(other.outcome(second) == Code::ResourceExhausted);
  CHECK(served.scheduler.stats().waiting == 0);
  CHECK(served.scheduler.stats().refused == 1);
}

TEST_CASE("a model without batch axis runs its steps one by one, with their own shape") {
  for (const uint32_t lanes : {0, 2}) {
    Served served("no_batch", {.lanes = lanes});
    Client client(served);
    CHECK_FALSE(served.session.plan().batchable);
    const uint32_t a = client.submit<float>({}, {1, 2, 3, 4});
    const uint32_t b = client.submit<float>({}, {5, 6, 7, 8});
    CHECK(output(served, client, a, 0) == std::pair{Shape{1, 4}, Floats{2, 4, 6, 8}});
    CHECK(output(served, client, b, 0) == std::pair{Shape{1, 4}, Floats{10, 12, 14, 16}});
    client.release(a);
    client.release(b);
    CHECK(served.scheduler.stats().batches == 2);
  }
}

TEST_CASE("an output whose length the values decide keeps its rank, whatever the length") {
  Served served("compress");
  Client client(served);
  const auto kept = [&](const Floats& values) {
    const uint32_t step = submit_shaped(served, client, {}, {static_cast<int64_t>(values.size()) / 4, 4}, values);
    auto result = output(served, client, step, 0);
    client.release(step);
    return result;
  };
  CHECK(kept({1, -1, 2, -2}) == std::pair{Shape{2}, Floats{1, 2}});
  CHECK(kept({1, -1, 2, -2, -3, 3, -4, 4}) == std::pair{Shape{4}, Floats{1, 2, 3, 4}});
  CHECK(kept({1, -1, -1, -1}) == std::pair{Shape{1}, Floats{1}});
  CHECK(kept({-1, -1, -1, -1}) == std::pair{Shape{0}, Floats{}});
}

TEST_CASE("rows that cannot share a run are the model's all at once, not one by one") {
  Served served("mixes_rows");
  Client client(served);
  CHECK(served.session.plan().inputs[0].batch_axis == kNoAxis);
  const uint32_t step = submit_shaped(served, client, {}, {2, 4}, {1, 2, 3, 4, 10, 20, 30, 40});
  CHECK(output(served, client, step, 0) == std::pair{Shape{1, 4}, Floats{11, 22, 33, 44}});
  client.release(step);
  CHECK(served.scheduler.stats().batches == 1);
}

TEST_CASE("outputs that ONNX Runtime sizes belong to their step until it is released") {
  Served served("nonzero");
  Client client(served);
  const uint32_t a = submit_shaped(served, client, {}, {1, 4}, {0, 1, 0, 1});
  const uint32_t b = submit_shaped(served, client, {}, {1, 4}, {1, 0, 0, 0});
  REQUIRE(client.wait(a).code == Code::Ok);
  REQUIRE(client.wait(b).code == Code::Ok);
  CHECK(client.read<int64_t>(a) == std::vector<int64_t>{0, 0, 1, 3});
  CHECK(client.read<int64_t>(b) == std::vector<int64_t>{0, 0});
  client.release(a);
  client.release(b);
}

TEST_CASE("strings go in and out, NUL bytes included, wherever the batch axis is") {
  for (const char* name : {"strings", "strings_axis1"}) {
    CAPTURE(name);
    Served served(name);
    Client client(served);
    const std::vector<std::vector<std::string>> rows{{"a", ""}, {std::string("n\0l", 3), "ü"}, {"third", "row"}};
    std::vector<uint32_t> steps(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      REQUIRE(served.scheduler.begin(client.queue(), {}, {{2}}, steps[i]) == Code::Ok);
      CHECK(served.scheduler.set_strings(steps[i], 0, {"one"}) == Code::InvalidArgument);
      CHECK(served.scheduler.set_strings(steps[i], 0, rows[i]) == Code::Ok);
      REQUIRE(served.scheduler.publish(steps[i]) == Code::Ok);
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      REQUIRE(client.wait(steps[i]).code == Code::Ok);
      CHECK(served.scheduler.read_output(steps[i], 0).strings == rows[i]);
    }
    CHECK(served.scheduler.stats().batches == 1);
    for (const uint32_t step : steps) client.release(step);
  }
}

TEST_CASE("a string step without its strings is refused") {
  Served served("strings");
  Client client(served);
  uint32_t index = 0;
  REQUIRE(served.scheduler.begin(client.queue(), {}, {{2}}, index) == Code::Ok);
  CHECK(served.scheduler.publish(index) == Code::InvalidArgument);
}

}  // namespace
}  // namespace headrace
