// Reading a model's signature: which axis is the batch, which tensors are recurrent state. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "model_config.h"
#include "tensor.h"

namespace headrace {

struct BatchAxes {
  std::vector<int> axes;   // by index of the data input; kNoAxis where it has none
  std::string symbol;      // the name of the batch dimension, where the model gives one
  bool batchable = false;  // every data input has a dynamic batch axis
  std::string why_not;
};

// The batch axis of each data input: a dynamic dimension named like a batch ("batch", "N", …), else a dynamic first
// one.
BatchAxes find_batch_axes(const std::vector<TensorInfo>& data_inputs);

// The batch axis of a state: as given, else the dimension with the batch's name, else its only dynamic dimension.
int state_batch_axis(const TensorInfo& input, const StatePair& pair, const std::string& symbol);

// The batch axis of an output, as far as its declared dimensions tell.
int output_batch_axis(const TensorInfo& output, const BatchAxes& axes);

// "'a' [1, 2], 'b' [-1]", for messages.
std::string list_names(const std::vector<TensorInfo>& tensors);

}  // namespace headrace
