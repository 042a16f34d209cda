// Constant inputs as tensors.
#pragma once

#include "device.h"
#include "model_plan.h"

namespace headrace {

// The bytes of a constant in the model's element type; empty for strings. A number fills the whole tensor, dynamic
// dimensions count as 1. Throws Error(ModelInvalid) where the value does not fit the tensor.
Buffer constant_buffer(const ConstantInput& constant, const Device& device);

// A tensor over that buffer, which must outlive it.
Ort::Value constant_value(const ConstantInput& constant, const Buffer& bytes, const Device& device);

}  // namespace headrace
