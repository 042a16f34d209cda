#include "batch_runner.h"

#include "status.h"

namespace headrace {
namespace {

// The record that a step continues from, or null where it begins afresh.
const std::byte* source_record(const Request& request) {
  const StateEntry* state = request.step.state;
  const bool continues = state != nullptr && !request.step.start && state->has_state_of(request.step.stream);
  return continues ? state->record : nullptr;
}

const std::byte* offset(const std::byte* record, size_t bytes) { return record == nullptr ? nullptr : record + bytes; }

}  // namespace

RunError BatchRunner::run(Batch& batch, RunScratch& scratch) const {
  const Nanos begin = now_nanos();
  Nanos gathering = 0;
  RunError error;
  try {
    gather(batch, scratch);
    gathering = now_nanos() - begin;
    session_.run(batch, batch.ran);
    transpose_outputs(batch, scratch);
  } catch (const Ort::Exception& failure) {
    // Of several rows it is not known whose values they are.
    const bool is_refused = failure.GetOrtErrorCode() == ORT_INVALID_ARGUMENT && batch.ran == 1;
    error = {is_refused ? Code::InvalidArgument : Code::Internal, failure.what(), true};
  } catch (const std::exception& failure) {
    // Outputs that are not one for each row, of which fewer rows might look as if they were.
    error = {Code::Internal, failure.what(), false};
  }
  batch.times = {gathering, now_nanos() - begin - gathering, 0};
  return error;
}

void BatchRunner::gather(Batch& batch, RunScratch& scratch) const {
  batch.ran = static_cast<uint32_t>(batch.rows.size());
  place_staged(batch);
  scratch.moves.clear();
  for (uint32_t row = 0; row < batch.ran; ++row) {
    append_state(batch, row, source_record(*batch.rows[row]), scratch.moves);
  }
  session_.device().gather(scratch.moves);
  transpose_inputs(batch, scratch);
  session_.device().sync();
}

void BatchRunner::place_staged(Batch& batch) const {
  for (size_t i = 0; i < batch.inputs.size(); ++i) {
    const bool strings = is_string(batch.plan().inputs[i].info.type);
    if (strings) batch.inputs[i].strings.clear();
    for (uint32_t row = 0; row < batch.ran; ++row) {
      const Request& request = *batch.rows[row];
      if (strings) {
        batch.inputs[i].strings.push_back(&request.inputs[i].strings);
      } else if (request.staged) {
        batch.write_input(row, i, request.staging.data() + request.inputs[i].offset, {});
      }
    }
  }
}

void BatchRunner::append_state(const Batch& batch, uint32_t row, const std::byte* record,
                               std::vector<RowMove>& moves) const {
  const ModelPlan& plan = batch.plan();
  for (size_t i = 0; i < batch.states.size(); ++i) {
    const BatchState& state = batch.states[i];
    const size_t inner = plan.states[i].row_bytes / state.outer;
    moves.push_back({state.in.data() + row * inner, offset(record, layout_.state_offsets[i]), batch.ran * inner, inner,
                     inner, state.outer});
  }
  for (size_t i = 0; i < batch.inputs.size(); ++i) {
    if (!plan.inputs[i].context) continue;
    const RowGeometry& geometry = batch.inputs[i].geometry;
    moves.push_back({batch.inputs[i].rows.data() + row * geometry.row_bytes, offset(record, layout_.context_offsets[i]),
                     geometry.context_bytes + geometry.data_bytes, geometry.context_bytes, geometry.context_bytes,
                     geometry.pieces});
  }
}

void BatchRunner::append_commit(const Batch& batch, uint32_t row, std::byte* record,
                                std::vector<RowMove>& moves) const {
  const ModelPlan& plan = batch.plan();
  for (size_t i = 0; i < batch.states.size(); ++i) {
    const BatchState& state = batch.states[i];
    const size_t inner = plan.states[i].row_bytes / state.outer;
    moves.push_back({record + layout_.state_offsets[i], state.out.data() + row * inner, inner, batch.ran * inner, inner,
                     state.outer});
  }
  for (size_t i = 0; i < batch.inputs.size(); ++i) {
    if (!plan.inputs[i].context) continue;
    // The last elements of old context and new data together: right also where a step is shorter than the context.
    const RowGeometry& geometry = batch.inputs[i].geometry;
    moves.push_back({record + layout_.context_offsets[i],
                     batch.inputs[i].rows.data() + row * geometry.row_bytes + geometry.data_bytes,
                     geometry.context_bytes, geometry.context_bytes + geometry.data_bytes, geometry.context_bytes,
                     geometry.pieces});
  }
}

void BatchRunner::transpose_inputs(const Batch& batch, RunScratch& scratch) const {
  scratch.moves.clear();
  for (const BatchInput& input : batch.inputs) {
    const RowGeometry& geometry = input.geometry;
    if (geometry.row_major() || input.model.data() == nullptr) continue;
    const size_t inner = geometry.row_bytes / geometry.outer;
    for (uint32_t row = 0; row < batch.ran; ++row) {
      scratch.moves.push_back({input.model.data() + row * inner, input.rows.data() + row * geometry.row_bytes,
                               batch.ran * inner, inner, inner, geometry.outer});
    }
  }
  session_.device().gather(scratch.moves);
}

void BatchRunner::transpose_outputs(const Batch& batch, RunScratch& scratch) const {
  scratch.moves.clear();
  for (const BatchOutput& output : batch.outputs) {
    if (output.outer == 1) continue;
    const size_t inner = output.row_bytes / output.outer;
    for (uint32_t row = 0; row < batch.ran; ++row) {
      scratch.moves.push_back({output.rows->data() + row * output.row_bytes, output.model.data() + row * inner, inner,
                               batch.ran * inner, inner, output.outer});
    }
  }
  session_.device().scatter(scratch.moves);
  session_.device().sync();
}

OutputCopy BatchRunner::read_output(const Batch& batch, uint32_t row, size_t index) const {
  const DataOutput& plan = batch.plan().outputs[index];
  const BatchOutput& output = batch.outputs[index];
  OutputCopy copy;
  if (plan.fixed) {
    copy.shape = plan.row_dims;
    copy.bytes.assign(output.rows->data() + row * output.row_bytes, output.rows->data() + (row + 1) * output.row_bytes);
    return copy;
  }
  const Shape shape = output.dynamic.GetTensorTypeAndShapeInfo().GetShape();
  const bool batched = plan.batch_axis != kNoAxis && plan.batch_axis < static_cast<int>(shape.size()) &&
                       shape[plan.batch_axis] == batch.ran;
  // Without a batch axis only one step can have been in the run, and the whole tensor is its answer.
  if (!batched && batch.ran != 1) bug("an output without batch axis came from a run of several rows");
  const int axis = batched ? plan.batch_axis : kNoAxis;
  copy.shape = without_axis(shape, axis);
  size_t outer = 1;
  for (int i = 0; i < axis; ++i) outer *= static_cast<size_t>(shape[i]);
  const size_t elements = checked_elements(copy.shape);
  const size_t inner = outer == 0 ? 0 : elements / outer;
  const size_t stride = batched ? batch.ran * inner : inner;
  const size_t first = batched ? row * inner : 0;
  if (is_string(plan.info.type)) {
    for (size_t piece = 0; piece < outer; ++piece) {
      for (size_t i = 0; i < inner; ++i) {
        copy.strings.push_back(output.dynamic.GetStringTensorElement(piece * stride + first + i));
      }
    }
    return copy;
  }
  const size_t element = element_size(plan.info.type);
  copy.bytes.resize(elements * element);
  const auto* data = static_cast<const std::byte*>(output.dynamic.GetTensorRawData());
  for (size_t piece = 0; piece < outer; ++piece) {
    batch.device().copy_out(copy.bytes.data() + piece * inner * element, data + (piece * stride + first) * element,
                            inner * element);
  }
  return copy;
}

}  // namespace headrace
