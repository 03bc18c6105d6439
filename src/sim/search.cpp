// SPDX-License-Identifier: Apache-2.0
// The queue of paths.
#include "sim/search.hpp"

#include <algorithm>
#include <utility>

namespace tg::inline v0::sim {

namespace {
// So that a search without an end takes some 100 MB.
constexpr std::size_t kMostWaiting = 1'000'000;
}  // namespace

std::optional<Plan> Search::next() {
  if (left_ == 0 || waiting_.empty()) return std::nullopt;
  --left_;
  Plan plan;
  plan.path = std::move(waiting_.front());
  waiting_.pop_front();
  last_ = plan.path.size();
  return plan;
}

void Search::branch(const Plan& plan, std::span<const std::uint32_t> options) {
  const std::size_t first = plan.path.empty() ? 0 : plan.path.back().choice + std::size_t{1};
  for (std::size_t choice = first; choice < options.size(); ++choice) {
    for (std::uint32_t option = 1; option < options[choice]; ++option) {
      if (waiting_.size() >= std::min(left_, kMostWaiting)) {
        if (left_out_ == 0) left_out_ = plan.path.size() + 1;
        return;
      }
      Plan::Path path = plan.path;
      path.push_back({static_cast<std::uint32_t>(choice), option});
      waiting_.push_back(std::move(path));
    }
  }
}

// Paths wait, and are left out, in the order of their lengths.
std::size_t Search::complete() const noexcept {
  if (left_out_ != 0) return left_out_ - 1;
  return waiting_.empty() ? last_ : waiting_.front().size() - 1;
}

}  // namespace tg::inline v0::sim
