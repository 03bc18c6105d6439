// SPDX-License-Identifier: Apache-2.0
// The reason that a failure gives, and the one task among several that sets the event.
#include "pool/failure_stop.hpp"

#include <exception>
#include <utility>

#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/reason.hpp>

#include "base/planted.hpp"
#include "event/wait.hpp"
#include "tree/forest.hpp"

namespace tg::inline v0::detail {

FailureStop::FailureStop(Node& node, OnFailure on_failure)
    : node_(node),
      on_failure_(on_failure),
      reason_(on_failure == OnFailure::set_event ? new SharedReason(Reason{}) : nullptr) {}

FailureStop::~FailureStop() {
  if (const SharedReason* unused = reason_.load(std::memory_order_relaxed)) unused->release();
}

void FailureStop::stop(const Task& failed) noexcept {
  if (on_failure_ != OnFailure::set_event || node_.event().is_set()) return;
  Reason reason;
  reason.kind = ReasonKind::failure;
  try {
    Failure failure = failed.failure();
    reason.exception = failure.exception;
    reason.where = failure.where;
    reason.message = describe_exception(failure.exception);
    reason.task = std::move(failure.task);
  } catch (const std::exception&) {
    // Out of memory: the reason says less, and the group stops all the same. The failure reaches the join.
  }
  SharedReason* const shared = reason_.exchange(nullptr, std::memory_order_acq_rel);
  if (shared == nullptr && TG_PLANTED(pool_second_failure_does_not_wait)) return;
  if (shared == nullptr) {  // another task failed at the same moment and is about to set the event
    static_cast<void>(wait({&node_.event(), nullptr}, TimePoint::never()));
    return;
  }
  shared->before_it_is_shared() = std::move(reason);
  Forest::instance().set_event_as_prepared(node_, *shared);
  shared->release();
}

}  // namespace tg::inline v0::detail
