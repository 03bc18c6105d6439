// SPDX-License-Identifier: Apache-2.0
// What happens to a group when its event is set, and when its last reference goes.
#include "group/group_core.hpp"

#include <utility>

#include <threadgroup/errors.hpp>
#include <threadgroup/snapshot.hpp>

#include "base/report.hpp"
#include "base/sanitizers.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"
#include "tree/fresh_link.hpp"

namespace tg::inline v0::detail {

namespace {
// A sanitizer is to see the end of each group.
constexpr bool kKeep = !TG_ADDRESS_SANITIZER && !TG_THREAD_SANITIZER && !TG_MEMORY_SANITIZER;

NodeKind kind_of(const GroupOptions& options) noexcept {
  return options.daemon ? NodeKind::daemon : NodeKind::group;
}
}  // namespace

GroupCore::GroupCore(std::string&& name, const GroupOptions& options)
    : Node(std::move(name), kind_of(options), options.time_limit && !options.time_limit->is_forever()),
      fork_generation_(runtime::fork_generation()),
      pool_(*this, options.max_concurrent_threads, options.on_failure, options.max_pending) {
  if (options.max_pending) set_limited();
  if (options.max_concurrent_in_subtree) bound_subtree(*options.max_concurrent_in_subtree);
}

GroupCore* GroupCore::make(std::string&& name, const GroupOptions& options, bool is_plain) {
  FreshLink* const link = FreshLink::of_caller();
  if (link != nullptr && link->unused_count != 0 && is_plain) {
    auto* const core = static_cast<GroupCore*>(link->unused[link->unused_count - 1]);
    if (core->slots() == options.max_concurrent_threads && options.on_failure == OnFailure::keep_going &&
        !options.time_limit) {
      --link->unused_count;
      core->begin_again(std::move(name), kind_of(options));
      core->fork_generation_ = runtime::fork_generation();
      return core;
    }
  }
  return runtime::InBlock::make<GroupCore>(std::move(name), options);
}

// It had no task and no stop token, so its pool is as new, except for the number of changes, which only means
// something compared with an earlier one.
void GroupCore::release_or_keep() noexcept {
  FreshLink* const link = FreshLink::of_caller();
  if (kKeep && link->has_room() && !event().is_set() && pool_.keeps_going() && !is_limited()) {
    own_task_is_allowed_ = false;
    forget_name();
    link->unused[link->unused_count++] = this;
    return;
  }
  Forest::drop_core(*this);
  release();
}

void GroupCore::on_last_reference() noexcept try {
  if (!pool_.has_failures_at_the_end()) return;
  // Only a group that one of its own tasks destroyed still has failures here: its destructor did not wait.
  const std::vector<Failure> failures = pool_.take_failures();
  if (!failures.empty()) report_unseen(Forest::instance().path(*this), failures);
} catch (const std::exception& e) {
  report_line({"cannot report the failures of group '", name(), "': ", e.what()});
}

void GroupCore::throw_forked(const char* operation) const {
  throw ForkedError(
      std::string(operation) + ": group '" + name() +
      "' was made before this process was forked, and its threads are in the parent; make a new group here");
}

ReasonPointer GroupCore::reason_to_skip(Reason reason) const {
  reason.origin = id();
  reason.origin_path = Forest::instance().path(*this);
  reason.when = runtime::now();
  return ReasonPointer::adopt(new SharedReason(std::move(reason)));
}

void GroupCore::on_event_set() noexcept {
  stop_source_.request_stop(*this);
  pool_.skip_pending(event().reason());
}

}  // namespace tg::inline v0::detail
