// One model whose infer requests an I/O thread answers: what it looks like on the wire, the plans of headers that came
// before, and what was counted.
//
// Used by its I/O thread only.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "infer_plan.h"
#include "model_client.h"

namespace headrace {

// A plan, and the key of its state, which it keeps pinned.
class PinnedPlan {
 public:
  PinnedPlan(ModelClient& client, InferPlan plan);
  ~PinnedPlan();
  PinnedPlan(const PinnedPlan&) = delete;
  PinnedPlan& operator=(const PinnedPlan&) = delete;

  const InferPlan& plan() const { return plan_; }
  const StepSpec& step() const { return plan_.step; }

 private:
  ModelClient& client_;
  InferPlan plan_;
};

struct InferCounts {
  uint64_t requests = 0;  // that were taken
  uint64_t under_way = 0;
  std::array<uint64_t, 12> answers{};  // by Code

  InferCounts& operator+=(const InferCounts& other) {
    requests += other.requests;
    under_way += other.under_way;
    for (size_t code = 0; code < answers.size(); ++code) answers[code] += other.answers[code];
    return *this;
  }
};

class InferModel {
 public:
  InferModel(std::shared_ptr<ModelClient> client, std::shared_ptr<const InferSpec> spec);

  // Null where the request is JavaScript's. Valid as long as the model is.
  std::shared_ptr<const PinnedPlan> plan(std::string_view header, bool is_json);

  ModelClient& client() { return *client_; }
  const InferSpec& spec() const { return *spec_; }

  InferCounts counts;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Plans = std::unordered_map<std::string, std::shared_ptr<const PinnedPlan>, Hash, std::equal_to<>>;

  void keep(std::string_view header, bool is_json, const std::shared_ptr<const PinnedPlan>& plan);

  const std::shared_ptr<ModelClient> client_;
  const std::shared_ptr<const InferSpec> spec_;
  InferHeader header_;
  // By header: of requests that are all JSON, and of those with binary tensors, since the same text is none of the
  // other.
  std::array<Plans, 2> plans_;
  std::deque<std::pair<bool, std::string_view>> oldest_;  // their keys, in the order in which they were kept
  // Hashes of headers that came once: one that never comes again is not worth keeping.
  std::array<size_t, 1024> seen_{};
};

}  // namespace headrace
