// Where the bytes of requests come from.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace headrace::bench {

/// A slot is a place for one request at a time: it sends the requests of one stream of state in their order.
class RequestSource {
 public:
  virtual ~RequestSource() = default;

  /// Appends the next request of a slot to `out`, ready for the wire.
  virtual void append(std::size_t slot, std::string& out) = 0;
};

/// The same request over and over, one for each slot.
class RepeatedRequests final : public RequestSource {
 public:
  explicit RepeatedRequests(std::vector<std::string> requests) : requests_(std::move(requests)) {}

  void append(std::size_t slot, std::string& out) override { out += requests_[slot]; }

 private:
  std::vector<std::string> requests_;
};

}  // namespace headrace::bench
