// SPDX-License-Identifier: Apache-2.0
// How the nodes of calls are linked and unlinked, and what snapshots see of them.
#include "abandon/call_node.hpp"

#include <algorithm>
#include <utility>

#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"

namespace tg::inline v0::detail {

CallNode& CallNode::make(std::string&& name) {
  CallNode* const call = runtime::InBlock::make<CallNode>(std::move(name));
  try {
    Forest::link(*call);
  } catch (...) {
    call->release();
    throw;
  }
  return *call;
}

void CallNode::end() noexcept {
  Forest::instance().unlink(*this);
  release();
}

void CallNode::abandon(std::string&& caller) noexcept {
  const TimePoint now = runtime::coarse_now();  // the clock of snapshots
  const MutexLock lock(mutex_);
  caller_ = std::move(caller);
  abandoned_at_ = now;
}

void CallNode::keep() noexcept {
  const MutexLock lock(mutex_);
  caller_.reset();
}

std::optional<AbandonedCall> CallNode::abandoned(TimePoint now) const {
  const MutexLock lock(mutex_);
  if (!caller_) return std::nullopt;
  return AbandonedCall{*caller_, std::max(now - abandoned_at_, Duration())};
}

}  // namespace tg::inline v0::detail
