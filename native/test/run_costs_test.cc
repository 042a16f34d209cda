// What runs take, from those that were: too little rather than too much.
#include "run_costs.h"

#include <doctest/doctest.h>

namespace headrace {
namespace {

TEST_CASE("nothing is known of runs before one ran, and of larger ones what a smaller one took") {
  RunCosts costs(8);
  CHECK(costs.of(8) == 0);
  costs.add(4, 1000);
  CHECK(costs.of(3) == 0);
  CHECK(costs.of(4) == 1000);
  CHECK(costs.of(8) == 1000);
  costs.add(8, 1500);
  CHECK(costs.of(7) == 1000);
  CHECK(costs.of(8) == 1500);
}

TEST_CASE("one slow run says little, a fast one much") {
  RunCosts costs(1);
  costs.add(1, 1000);
  costs.add(1, 9000);
  CHECK(costs.of(1) == 2000);
  costs.add(1, 1000);
  CHECK(costs.of(1) == 1500);
}

}  // namespace
}  // namespace headrace
