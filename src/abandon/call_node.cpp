// SPDX-License-Identifier: Apache-2.0
// What is seen of a call.
#include "abandon/call_node.hpp"

#include <algorithm>
#include <utility>

#include "runtime/steady_clock.hpp"
#include "tree/linked_node.hpp"

namespace tg::inline v0::detail {

CallNode& CallNode::make(std::string&& name) { return *make_linked<CallNode>(std::move(name)).release(); }

void CallNode::end() noexcept { take_out(*this); }

void CallNode::abandon(std::string&& caller) noexcept {
  const TimePoint now = runtime::coarse_now();  // the clock of snapshots
  const MutexLock lock(mutex_);
  caller_ = std::move(caller);
  abandoned_at_ = now;
}

std::optional<AbandonedCall> CallNode::abandoned(TimePoint now) const {
  const MutexLock lock(mutex_);
  if (!caller_) return std::nullopt;
  return AbandonedCall{*caller_, std::max(now - abandoned_at_, Duration())};
}

}  // namespace tg::inline v0::detail
