#include "batch.h"

#include <algorithm>
#include <cstring>

#include "status.h"

namespace headrace {
namespace {

// A batch of rows whose size only a request decides takes at most this much per input.
constexpr size_t kDynamicInputBytes = size_t{64} << 20;

size_t product(const Shape& dims, size_t begin, size_t end) {
  size_t result = 1;
  for (size_t i = begin; i < end; ++i) result *= static_cast<size_t>(dims[i]);
  return result;
}

size_t outer_of(const Shape& row_dims, int batch_axis) {
  // An empty tensor has nothing to transpose; 1 keeps divisions by the count of its pieces harmless.
  return batch_axis == kNoAxis ? 1 : std::max<size_t>(1, product(row_dims, 0, static_cast<size_t>(batch_axis)));
}

}  // namespace

Batch::Batch(uint32_t id, const ModelPlan& plan, const Device& device, uint32_t capacity)
    : id_(id), plan_(plan), device_(device), max_capacity_(capacity), capacity_(capacity) {
  rows.reserve(capacity);
  inputs.resize(plan.inputs.size());
  outputs.resize(plan.outputs.size());
  states.resize(plan.states.size());
  bindings.resize(capacity + 1);
  if (plan.fixed_inputs()) {
    for (size_t i = 0; i < inputs.size(); ++i) inputs[i].row_dims = plan.inputs[i].row_dims;
    allocate_inputs();
  }
  allocate_outputs();
  allocate_states();
}

void Batch::prepare(const std::vector<Shape>& row_dims) {
  if (!rows.empty()) bug("a batch with rows was laid out again");
  bool same = laid_out_;
  for (size_t i = 0; i < inputs.size(); ++i) {
    same = same && inputs[i].row_dims == row_dims[i];
    inputs[i].row_dims = row_dims[i];
  }
  if (!same) allocate_inputs();
}

void Batch::allocate_inputs() {
  laid_out_ = false;
  capacity_ = max_capacity_;
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].geometry = row_geometry(plan_.inputs[i], inputs[i].row_dims);
    if (plan_.inputs[i].fixed || inputs[i].geometry.row_bytes == 0) continue;
    const size_t fitting = std::max<size_t>(1, kDynamicInputBytes / inputs[i].geometry.row_bytes);
    capacity_ = static_cast<uint32_t>(std::min<size_t>(capacity_, fitting));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    BatchInput& input = inputs[i];
    if (is_string(plan_.inputs[i].info.type)) continue;
    const size_t bytes = input.geometry.row_bytes * capacity_;
    if (input.rows.bytes() < bytes || input.rows.data() == nullptr) input.rows = device_.allocate(bytes);
    if (!input.geometry.row_major() && input.model.bytes() < bytes) input.model = device_.allocate(bytes);
  }
  for (auto& binding : bindings) binding.reset();
  laid_out_ = true;
}

void Batch::allocate_outputs() {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const DataOutput& plan = plan_.outputs[i];
    if (!plan.fixed) continue;
    BatchOutput& output = outputs[i];
    output.row_bytes = product(plan.row_dims, 0, plan.row_dims.size()) * element_size(plan.info.type);
    output.outer = outer_of(plan.row_dims, plan.batch_axis);
    output.rows = std::make_shared<Buffer>(device_.allocate(output.row_bytes * capacity_));
    if (output.outer > 1) output.model = device_.allocate(output.row_bytes * capacity_);
  }
}

void Batch::allocate_states() {
  for (size_t i = 0; i < states.size(); ++i) {
    const RecurrentState& plan = plan_.states[i];
    states[i].outer = outer_of(plan.row_dims, plan.batch_axis);
    states[i].in = device_.allocate(plan.row_bytes * capacity_);
    states[i].out = device_.allocate(plan.row_bytes * capacity_);
  }
}

void Batch::write_input(uint32_t row, size_t index, const std::byte* src, const XorMask& mask) {
  BatchInput& input = inputs[index];
  const RowGeometry& geometry = input.geometry;
  std::byte* dst = input.rows.data() + row * geometry.row_bytes + geometry.context_bytes;
  if (geometry.pieces == 1) {
    device_.copy_in(dst, src, geometry.data_bytes, mask);
    return;
  }
  const size_t pitch = geometry.context_bytes + geometry.data_bytes;
  for (size_t piece = 0; piece < geometry.pieces; ++piece) {
    const size_t at = piece * geometry.data_bytes;
    device_.copy_in(dst + piece * pitch, src + at, geometry.data_bytes, mask.from(at));
  }
}

void Batch::copy_inputs(uint32_t to, const Batch& other, uint32_t from) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Buffer& rows = inputs[i].rows;
    if (rows.data() == nullptr) continue;
    const size_t bytes = inputs[i].geometry.row_bytes;
    const std::byte* source = other.inputs[i].rows.data() + from * bytes;
    const RowMove move{rows.data() + to * bytes, source, bytes, bytes, bytes, 1};
    device_.gather({&move, 1});
  }
  device_.sync();
}

}  // namespace headrace
