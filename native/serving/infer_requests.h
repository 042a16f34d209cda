// V2 infer requests over HTTP that are answered on the thread that owns the socket: from the body into a batch, from
// the batch into the answer.
//
// Only what is understood from end to end is taken: whole requests of models with one known shape, whose JSON says
// nothing unusual, and whose steps the engine takes. Everything else is JavaScript's, which also says what is wrong, so
// there is one place that writes refusals. The answers are those that JavaScript would write, byte by byte.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "handlers.h"
#include "infer_model.h"
#include "infer_reader.h"

namespace headrace {

// One for each I/O thread; used by it only.
class InferRequests final : public RequestHandler {
 public:
  explicit InferRequests(IoThread& io);
  ~InferRequests() override;
  InferRequests(const InferRequests&) = delete;
  InferRequests& operator=(const InferRequests&) = delete;

  // The paths whose requests are for a model from now on, also where they were another one's; those that it had are no
  // more. Requests that were taken are answered.
  void serve(const std::shared_ptr<InferModel>& model, const std::vector<std::string>& paths);
  // Before the model goes: what has no answer yet gets one.
  void remove(const std::shared_ptr<InferModel>& model);

  bool wants(const HttpHead& head) const override;
  bool request(Connection& connection, const HttpHead& head, std::span<const std::byte> body) override;
  void aborted(Connection& connection) override;

 private:
  class Call;

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::shared_ptr<const PinnedPlan> plan_of(InferModel& model, std::optional<size_t> header_bytes,
                                            std::span<const std::byte> body, std::span<const std::byte>& tensors);
  bool submit(Call& call, std::span<const std::byte> tensors);
  Call& take_call();
  void finish(Call& call);

  IoThread& io_;
  std::unordered_map<std::string, std::shared_ptr<InferModel>, Hash, std::equal_to<>> models_;  // by path
  std::vector<std::unique_ptr<Call>> calls_;
  std::vector<Call*> free_calls_;
  json::InferReader reader_;
  std::vector<InputBytes> inputs_;
  std::vector<std::byte> rows_;  // of a single step's outputs
  std::vector<std::byte> body_;
};

}  // namespace headrace
