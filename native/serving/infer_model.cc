#include "infer_model.h"

namespace headrace {
namespace {

// As the HeaderCache of src/protocol: memory stays bounded, each client's header has a place.
constexpr size_t kMaxPlans = 4096;
constexpr size_t kMaxHeader = 4096;

}  // namespace

PinnedPlan::PinnedPlan(ModelClient& client, InferPlan plan) : client_(client), plan_(std::move(plan)) {
  const bool keeps_state = client.engine().session().plan().stateful();
  if (keeps_state && !plan_.sequence_id.empty()) plan_.step.state = client.scheduler().pin(plan_.sequence_id);
}

PinnedPlan::~PinnedPlan() {
  if (plan_.step.state != kNoState) client_.scheduler().unpin(plan_.step.state);
}

InferModel::InferModel(std::shared_ptr<ModelClient> client, std::shared_ptr<const InferSpec> spec)
    : client_(std::move(client)), spec_(std::move(spec)) {}

std::shared_ptr<const PinnedPlan> InferModel::plan(std::string_view header, bool is_json) {
  const Plans& known = plans_[is_json ? 1 : 0];
  if (const auto found = known.find(header); found != known.end()) return found->second;
  if (!read_infer_header(header, header_)) return nullptr;
  std::optional<InferPlan> plan = plan_infer(*spec_, header_, is_json);
  if (!plan) return nullptr;
  auto made = std::make_shared<const PinnedPlan>(*client_, *std::move(plan));
  const size_t hash = Hash()(header);
  size_t& seen = seen_[hash % seen_.size()];
  if (seen == hash && header.size() <= kMaxHeader) keep(header, is_json, made);
  seen = hash;
  return made;
}

void InferModel::keep(std::string_view header, bool is_json, const std::shared_ptr<const PinnedPlan>& plan) {
  if (oldest_.size() >= kMaxPlans) {
    const auto [is_json_too, key] = oldest_.front();
    oldest_.pop_front();
    Plans& plans = plans_[is_json_too ? 1 : 0];
    plans.erase(plans.find(key));
  }
  const auto [kept, is_new] = plans_[is_json ? 1 : 0].emplace(header, plan);
  if (is_new) oldest_.emplace_back(is_json, kept->first);
}

}  // namespace headrace
