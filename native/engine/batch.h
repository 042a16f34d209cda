// The memory of one batch: a slot for each row of every input, state and output, and the IoBindings over them.
//
// Ownership: the scheduler owns all batches of a model and lends each to one party at a time: forming (guarded by the
// scheduler's mutex), running (one lane), completed (until every row is released). No lock of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "clock.h"
#include "device.h"
#include "model_plan.h"

namespace headrace {

struct Request;

// What a run with n rows binds. The Ort::Values are views over the batch's buffers.
struct Binding {
  explicit Binding(Ort::Session& session) : io(session) {}
  std::vector<Ort::Value> values;
  Ort::IoBinding io;
};

struct BatchInput {
  Shape row_dims;  // without context
  RowGeometry geometry;
  Buffer rows;   // row after row, as the model wants them where the batch axis is first
  Buffer model;  // the model's layout, where it is another one
  std::vector<const std::vector<std::string>*> strings;  // by row, for string inputs; owned by the requests
};

struct BatchOutput {
  size_t row_bytes = 0;          // 0 where ONNX Runtime allocates
  size_t outer = 1;              // product of the dimensions before the batch axis
  std::shared_ptr<Buffer> rows;  // shared with the views that JavaScript holds
  Buffer model;
  Ort::Value dynamic{nullptr};  // the last run's, where it is not preallocated
};

struct BatchState {
  size_t outer = 1;
  Buffer in;
  Buffer out;
};

struct RunTimes {
  Nanos gather = 0;
  Nanos run = 0;
  Nanos scatter = 0;
};

class Batch {
 public:
  // Allocates for `capacity` rows. Throws Error(ResourceExhausted).
  Batch(uint32_t id, const ModelPlan& plan, const Device& device, uint32_t capacity);

  // Lays the inputs out for rows of these dimensions, as many as fit a sensible amount of memory. Fixed models need it
  // never; others before the first row of each batch. The batch must be empty. Throws Error(ResourceExhausted).
  void prepare(const std::vector<Shape>& row_dims);

  // Copies what a step sent for `input` into its row, without its mask. `src` holds geometry.submit_bytes() bytes.
  void write_input(uint32_t row, size_t input, const std::byte* src, const XorMask& mask);
  // Copies the inputs of a row, of this batch or another one laid out like it, over those of row `to`.
  void copy_inputs(uint32_t to, const Batch& other, uint32_t from);

  uint32_t id() const { return id_; }
  uint32_t capacity() const { return capacity_; }
  const ModelPlan& plan() const { return plan_; }
  const Device& device() const { return device_; }

  std::vector<Request*> rows;  // the steps in it, in row order
  Nanos started = 0;           // when it left the queue
  RunTimes times;              // of its run
  uint32_t ran = 0;   // rows of the last run: the layout of tensors whose batch axis is not first depends on it
  uint32_t held = 0;  // completed rows that nobody has released yet

  std::vector<BatchInput> inputs;
  std::vector<BatchOutput> outputs;
  std::vector<BatchState> states;
  std::vector<std::unique_ptr<Binding>> bindings;  // by number of rows; made on first use

 private:
  void allocate_inputs();
  void allocate_outputs();
  void allocate_states();

  const uint32_t id_;
  const ModelPlan& plan_;
  const Device& device_;
  bool laid_out_ = false;  // false also after a layout that found no memory
  const uint32_t max_capacity_;
  uint32_t capacity_;
};

}  // namespace headrace
