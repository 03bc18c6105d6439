// SPDX-License-Identifier: Apache-2.0
// What is seen of a call.
#include "abandon/call_node.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "base/planted.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"
#include "tree/linked_node.hpp"

namespace tg::inline v0::detail {

CallNode& CallNode::make(std::string&& name) { return *make_linked<CallNode>(std::move(name)).release(); }

void CallNode::end() noexcept { take_out(*this); }

void CallNode::abandon(std::string&& caller) noexcept {
  const TimePoint now = runtime::coarse_now();  // the clock of snapshots
  {
    const MutexLock lock(mutex_);
    caller_ = std::move(caller);
    abandoned_at_ = now;
  }
  try {
    for (Node* group : Forest::instance().groups_below(this)) {
      if (!TG_PLANTED(abandon_wakes_no_one)) group->wake_waiters();
      group->release();
    }
  } catch (const std::bad_alloc&) {  // they wait as long as they may
  }
}

bool CallNode::is_abandoned() const noexcept {
  const MutexLock lock(mutex_);
  return caller_.has_value();
}

std::optional<AbandonedCall> CallNode::abandoned(TimePoint now) const {
  const MutexLock lock(mutex_);
  if (!caller_) return std::nullopt;
  return AbandonedCall{*caller_, std::max(now - abandoned_at_, Duration())};
}

}  // namespace tg::inline v0::detail
