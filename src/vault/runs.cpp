// SPDX-License-Identifier: Apache-2.0
// Starting and ending runs. K2 and K3 are in dataflow.hpp.
#include "vault/runs.hpp"

#include <list>
#include <vector>

#include <threadgroup/detail/current_failure.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/vault_types.hpp>

#include "base/planted.hpp"
#include "vault/parts.hpp"
#include "vault/texts.hpp"

namespace tg::inline v0::detail {

std::exception_ptr Runs::launch_all(std::span<const std::size_t> automatics) noexcept {
  std::exception_ptr first;
  for (const std::size_t automatic : automatics) {
    std::exception_ptr error = launch(automatic);
    if (error && !first) first = std::move(error);
  }
  return first;
}

// Hands the next run to the group; what went wrong, if it did. Then the set waits for the next step, unless
// it can never run.
std::exception_ptr Runs::launch(std::size_t automatic) noexcept {
  AutomaticInfo* info = nullptr;
  const char here = 0;  // its address tells this call from others
  {
    MutexLock lock(core_.store_.mutex());
    info = &core_.parts_->flow.info(automatic);
    AutomaticProgress& progress = core_.parts_->flow.progress(automatic);
    progress.launching = &here;
    progress.dropped_at_launch = false;
  }
  const bool was_closed = info->runner->closed();
  std::exception_ptr error;
  std::string problem;
  if (!was_closed) {
    try {
      info->runner->start(info->name, Run(core_.shared_from_this(), automatic));
    } catch (...) {
      error = std::current_exception();
      problem = describe_if_possible(error);
    }
  }
  bool lost = false;
  std::list<std::vector<ValueRef>> dropped;
  {
    MutexLock lock(core_.store_.mutex());
    AutomaticProgress& progress = core_.parts_->flow.progress(automatic);
    if (progress.launching != &here) return error;  // it has begun
    progress.launching = nullptr;
    if (!was_closed && !error && !progress.dropped_at_launch) return nullptr;  // it is in the queue
    lost = info->runner->lost();
    const std::uint64_t revision = core_.store_.revision_locked();
    if (lost) {
      dropped = progress.end_unrun(State::not_started, revision);
    } else if (error) {
      progress.state = State::not_started;
      progress.busy = false;
      progress.failed_at = revision;
    } else {
      dropped = progress.end_unrun(State::skipped, revision);
    }
    progress.problem.swap(problem);
  }
  core_.tell_waiters();
  return lost && !error ? group_is_gone(*info) : error;
}

std::exception_ptr Runs::group_is_gone(const AutomaticInfo& info) const noexcept try {
  const std::string key =
      info.inputs.empty() ? std::string() : core_.store_.key_name(info.inputs.front().slot);
  return std::make_exception_ptr(GroupGoneError(
      key, "vault '" + core_.name() + "': automatic " + quoted(info.name) +
               " has its inputs and cannot run, for its group " + quoted(info.runner->group_name()) +
               " has been destroyed; what was inserted is in the vault. Let the group outlive the last "
               "insert of an input, or declare the automatic again, in another group"));
} catch (...) {
  return std::current_exception();
}

void Runs::was_dropped(std::size_t automatic) noexcept {
  std::list<std::vector<ValueRef>> dropped;
  {
    MutexLock lock(core_.store_.mutex());
    AutomaticProgress& progress = core_.parts_->flow.progress(automatic);
    if (progress.launching != nullptr) {  // whether it was skipped or not taken, `launch` knows
      progress.dropped_at_launch = true;
      return;
    }
    dropped = progress.end_unrun(State::skipped, core_.store_.revision_locked());
  }
  core_.tell_waiters();
}

void Runs::run(std::size_t automatic) {
  AutomaticInfo* info = nullptr;
  std::vector<ValueRef> inputs;
  {
    MutexLock lock(core_.store_.mutex());
    info = &core_.parts_->flow.info(automatic);
    AutomaticProgress& progress = core_.parts_->flow.progress(automatic);
    progress.launching = nullptr;
    progress.state = State::running;
    inputs = std::move(progress.waiting.front());
    progress.waiting.pop_front();
  }
  std::exception_ptr error;
  try {
    const RunOutcome outcome = info->call(core_, automatic, inputs);
    error = end(automatic, outcome == RunOutcome::stored ? State::done : State::declined, {});
  } catch (...) {
    forget_outputs(automatic);
    end(automatic, State::failed, describe_if_possible(std::current_exception()));
    throw;
  }
  if (error) std::rethrow_exception(error);
}

// Ends a run and starts the next one, if a set is waiting: before the task that ran this one is over, so that
// the group does not look idle in between.
std::exception_ptr Runs::end(std::size_t automatic, State state, std::string problem) noexcept {
  bool goes_on = false;
  {
    MutexLock lock(core_.store_.mutex());
    AutomaticProgress& progress = core_.parts_->flow.progress(automatic);
    progress.state = state;
    progress.problem.swap(problem);
    progress.runs += state != State::declined ? 1 : 0;
    progress.failed_at.reset();
    if (state == State::failed) progress.failed_at = core_.store_.revision_locked();
    goes_on = !progress.waiting.empty() && !TG_PLANTED(flow_automatic_forgets_the_next_set);
    if (goes_on) {
      progress.state = State::pending;
    } else {
      progress.busy = false;
      if (core_.parts_->waits == 0) return nullptr;
    }
  }
  if (!goes_on) {
    core_.store_.release_all_waiters();
    return nullptr;
  }
  std::exception_ptr error = launch(automatic);
  if (error && core_.automatic(automatic).runner->lost())
    return nullptr;  // stopped with its group, as what is pending there
  return error;
}

// A failed run leaves no outputs, not even those of an earlier one: they belong to other inputs.
void Runs::forget_outputs(std::size_t automatic) noexcept try {
  std::vector<Change> stale;
  {
    MutexLock lock(core_.store_.mutex());
    for (const std::size_t output : core_.parts_->flow.info(automatic).outputs) {
      if (core_.store_.present_locked(output) && core_.store_.stored_by_locked(output) == automatic)
        stale.push_back({output, {}, {}});
    }
  }
  if (!stale.empty()) core_.commit(stale, {});
} catch (...) {
  // The file could not be written: the run's own failure is what gets reported.
  return;
}

}  // namespace tg::inline v0::detail
