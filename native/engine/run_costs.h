// What a batch of so many rows takes, from those that ran. Values only: no thread, no clock.
//
// Used to tell that a deadline cannot be met, so where nothing is known it errs on the side of too little.
#pragma once

#include <cstddef>
#include <vector>

#include "clock.h"

namespace headrace {

class RunCosts {
 public:
  explicit RunCosts(size_t max_rows) : costs_(max_rows + 1, 0) {}

  // One more ran. What was faster counts for half, what was slower for an eighth: one batch that the machine held up
  // says little.
  void add(size_t rows, Nanos nanos) {
    Nanos& cost = costs_[rows];
    cost = cost == 0 ? nanos : cost + (nanos - cost) / (nanos < cost ? 2 : 8);
  }

  // 0 where neither so many rows nor fewer ever ran.
  Nanos of(size_t rows) const {
    for (; rows > 0; --rows) {
      if (costs_[rows] > 0) return costs_[rows];
    }
    return 0;
  }

 private:
  std::vector<Nanos> costs_;
};

}  // namespace headrace
