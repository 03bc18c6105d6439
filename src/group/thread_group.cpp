// SPDX-License-Identifier: Apache-2.0
// Making, joining and destroying groups.
#include <threadgroup/thread_group.hpp>

#include <new>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

#include <threadgroup/detail/task.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/thread_utils.hpp>

#include "base/report.hpp"
#include "event/wait.hpp"
#include "group/group_core.hpp"
#include "group/registered_run.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"
#include "tree/scope_entry.hpp"
#include "tree/still_running.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_graph.hpp"

namespace tg {
inline namespace v0 {

using detail::Forest;
using detail::GroupCore;

namespace {

void check_limits(const std::string& name, const GroupOptions& options) {
  if (options.max_pending == 0) {
    throw std::invalid_argument("ThreadGroup '" + name +
                                "': max_pending is 0, so no task could ever be added; give at least 1");
  }
  if (options.max_concurrent_in_subtree == 0) {
    throw std::invalid_argument(
        "ThreadGroup '" + name +
        "': max_concurrent_in_subtree is 0, so no task could ever run; give at least 1");
  }
}

// Makes the core and links it into the forest.
GroupCore* make_core(std::string&& name, const GroupOptions& options) {
  if (options.max_concurrent_threads == 0) {
    throw std::invalid_argument("ThreadGroup '" + name +
                                "': max_concurrent_threads is 0, so no task could ever run; give at least 1");
  }
  const bool is_plain = !options.max_pending && !options.max_concurrent_in_subtree;
  if (!is_plain) check_limits(name, options);
  auto* const core = GroupCore::make(std::move(name), options, is_plain);
  try {
    Forest::link(*core);
    if (options.time_limit) core->set_time_limit(*options.time_limit);
  } catch (...) {
    core->release();
    throw;
  }
  return core;
}

// For a destructor, whose wait nothing ends early: names the tasks that it waits for, after a time that
// doubles.
void wait_and_report(GroupCore& core) noexcept {
  detail::Pool& pool = core.pool();
  const TimePoint began = runtime::now();
  for (Duration patience = Forest::instance().destructor_warning();;) {
    if (detail::wait(
            pool.idle_waiters(), [&pool] { return pool.idle(); }, {}, runtime::after(patience)) ==
        WaitOutcome::ready) {
      return;
    }
    try {
      const Duration waited = runtime::now() - began;
      detail::report_still_running(
          core, fmt::format("after {:.1f} s in its destructor", static_cast<double>(waited.nanos()) / 1e9));
    } catch (const std::exception&) {  // no memory now; the next report may succeed
    }
    const bool has_room = patience.nanos() <= Duration::max().nanos() / 2;
    patience = has_room ? Duration::from_nanos(2 * patience.nanos()) : Duration::max();
  }
}

}  // namespace

ThreadGroup::ThreadGroup(std::string name, const GroupOptions& options)
    : core_(make_core(std::move(name), options)), node_(*core_) {}

ThreadGroup::~ThreadGroup() {
  if (core_->runtime_generation_changed()) return;  // a forked child: nothing here is ours to end
  // The event was never watched, so there was no task and no token. Without children no other group has to be
  // stopped, either.
  if (!core_->event().is_watched() && !core_->has_time_limit()) {
    const Forest::Unlinked how = Forest::unlink_leaf(*core_, true);
    if (how != Forest::Unlinked::has_children) {
      core_->registry().destroy();
      if (how == Forest::Unlinked::yes) core_->release();
      else core_->release_or_keep();
      return;
    }
  }
  core_->close();
  detail::TaskContext* const caller = detail::TaskContext::current();
  const bool own_task = detail::is_part_of(caller, *core_);
  core_->end_time_limit();
  // The same for a group whose tasks have all ended well, and whose event stops nothing else.
  if (!own_task && core_->pool().is_over_without_failures() && !core_->is_followed() &&
      Forest::unlink_leaf(*core_) != Forest::Unlinked::has_children) {
    core_->registry().destroy();
    core_->release();
    return;
  }
  // Sets the event only if anything could notice it.
  if (!core_->pool().idle() || core_->is_followed() || Forest::instance().has_children(*core_)) {
    try {
      Forest::instance().set_event(
          *core_, detail::reason_from_here(ReasonKind::destroyed, "the group's object was destroyed", {}));
    } catch (const std::bad_alloc&) {
      Forest::instance().set_destroyed_without_memory(*core_);
    }
  }
  detail::Pool& pool = core_->pool();
  if (!own_task && !pool.idle()) {
    const detail::RecordedWait recorded(caller, detail::WaitTarget::idleness_of(*core_), {},
                                        TimePoint::never(), false, detail::RecordedWait::OnCycle::report);
    const detail::PermitsLent lent(caller);
    wait_and_report(*core_);
  }
  if (!own_task) pool.leave_queues();
  try {
    if (own_task) {
      // A wait would include the calling task itself. The workers hold the core, and the last one takes it
      // out of the forest.
      if (!core_->own_task_is_allowed()) {
        detail::report_unseen(
            path(),
            {Failure{"(the destructor)",
                     std::make_exception_ptr(std::system_error(
                         std::make_error_code(std::errc::resource_deadlock_would_occur),
                         "the group was destroyed by a task of its own, at " + thread_utils::current_path() +
                             "; it was stopped, and its tasks go on without it"))}});
      }
    } else {
      report_all(pool.take_failures());
    }
  } catch (const std::exception& e) {  // no memory: `on_last_reference` reports what is left
    detail::report_line({"cannot say how group '", name(), "' ended: ", e.what()});
  }
  if (!own_task) Forest::instance().unlink(*core_);
  core_->registry().destroy();  // now, also if tasks keep the core
  core_->release();
}

namespace detail {
void destroy_where_it_falls(ThreadGroup* group) noexcept {
  group->core_->allow_own_task();
  delete group;
}

std::vector<Failure> take_failures(ThreadGroup& group) {
  group.core_->check_process("take_failures");
  return group.core_->pool().take_failures();
}

Event& event_of(const ThreadGroup& group) {
  group.core_->check_process("tg::when_event_set");
  return group.core_->event();
}
}  // namespace detail

void ThreadGroup::throw_forked(const char* operation) const { core_->throw_forked(operation); }
void ThreadGroup::add_to_pool(detail::Task& task) { core_->pool().add(task); }
bool ThreadGroup::try_take_room() { return core_->pool().try_take_room(); }
void ThreadGroup::give_room_back() noexcept { core_->pool().give_room_back(); }
void ThreadGroup::add_to_room(detail::Task& task) { core_->pool().add_to_room(task); }

detail::GroupLink ThreadGroup::link() {
  core_->check_process("link");
  return detail::GroupLink(*core_);
}

const std::string& ThreadGroup::name() const noexcept { return core_->name(); }
GroupId ThreadGroup::id() const noexcept { return core_->id(); }
bool ThreadGroup::is_draining() const noexcept { return core_->event().is_draining(); }
bool ThreadGroup::event_is_set() const noexcept { return core_->event().is_set(); }

// The failures are out of the pool, so this is the last chance to report them.
void ThreadGroup::report_all(const std::vector<Failure>& failures) const {
  if (failures.empty()) return;
  std::string where;
  try {
    where = path();
  } catch (const std::bad_alloc&) {  // no memory: report without the path
  }
  detail::report_unseen(where, failures);
}

// The event that ends a wait for the group early, if any; and refuses one by the group's own tasks.
detail::Event* ThreadGroup::event_for_wait(const char* operation) const {
  core_->check_process(operation);
  detail::Node* const inside = detail::innermost_node_of_caller();
  if (inside == nullptr) return nullptr;
  detail::refuse_own_group(*core_);
  // A group below the caller's group or scope is stopped together with it, so the wait will end. A group elsewhere
  // may run forever, so there the caller's event ends the wait.
  return Forest::instance().is_same_or_descendant(*core_, *inside) ? nullptr : &inside->event();
}

JoinResult ThreadGroup::wait_until_idle(TimePoint deadline, bool may_help, const char* operation) {
  detail::Event* const callers_event = event_for_wait(operation);
  detail::TaskContext* const caller = detail::TaskContext::current();
  detail::Pool& pool = core_->pool();
  JoinResult result;
  bool idle = false;
  // All tasks have to end before the wait does, so it ends no later if the caller runs some of them. With a
  // deadline, or an event that ends the wait early, it could end later.
  const auto help = [&] {
    if (!may_help || callers_event != nullptr) return;
    idle = pool.help(result.counts);
    core_->check_process(operation);  // a task may have forked
  };
  const auto is_idle = [&] {
    result.counts = pool.statistics();
    return result.counts.idle();
  };
  if (caller == nullptr) help();
  if (!idle && !is_idle()) {
    detail::RecordedWait recorded(caller, detail::WaitTarget::idleness_of(*core_), {callers_event, nullptr},
                                  deadline, false);
    if (caller != nullptr) help();
    WaitOutcome outcome = WaitOutcome::ready;
    if (!idle) {
      const detail::PermitsLent lent(caller);
      outcome = detail::wait(pool.idle_waiters(), is_idle, {callers_event, nullptr}, deadline);
      recorded.end();
    }
    recorded.end();
    result.timed_out = outcome == WaitOutcome::timed_out;
    result.event_set = outcome == WaitOutcome::event_set;
    if (outcome != WaitOutcome::ready) result.counts = pool.statistics();
  }
  result.pending = result.counts.pending;
  if (!result) result.running = Forest::instance().running_tasks(*core_);
  if (const detail::ReasonPointer reason = core_->event().reason()) {
    result.reason = *reason;
    result.stop = pool.stop_latency();
  }
  return result;
}

JoinResult ThreadGroup::join_until(TimePoint deadline, bool may_help) {
  JoinResult result = wait_until_idle(deadline, may_help, "join");
  if (!result || result.counts.failed == 0) return result;
  std::vector<Failure> failures = core_->pool().take_failures();
  if (failures.size() == 1) std::rethrow_exception(failures.front().exception);
  if (failures.size() > 1) {
    try {
      throw TaskFailures(path(), failures);
    } catch (const TaskFailures&) {
      throw;
    } catch (...) {          // no memory, most likely
      report_all(failures);  // nothing else refers to them any more
      throw;
    }
  }
  return result;
}

JoinResult ThreadGroup::wait_idle_until(TimePoint deadline, bool may_help) {
  JoinResult result = wait_until_idle(deadline, may_help, "wait_idle");
  if (result && result.counts.failed != 0) result.failures = core_->pool().take_failures();
  return result;
}

JoinResult ThreadGroup::join() { return join_until(TimePoint::never(), true); }
JoinResult ThreadGroup::join(Duration timeout) { return join_until(runtime::after(timeout), false); }
JoinResult ThreadGroup::wait_idle() { return wait_idle_until(TimePoint::never(), true); }
JoinResult ThreadGroup::wait_idle(Duration timeout) {
  return wait_idle_until(runtime::after(timeout), false);
}

WaitStatus ThreadGroup::wait_for_condition(Predicate predicate, Duration timeout,
                                           const ConditionOptions& options, SourceLocation where) {
  core_->check_process("wait_for_condition");
  return detail::wait_for_condition(*core_, predicate, timeout, options, where);
}

void ThreadGroup::notify() {
  core_->check_process("notify");
  core_->pool().notify();
}

bool ThreadGroup::set_event(std::string message, SourceLocation where) {
  return set_event(ReasonKind::requested, std::move(message), where);
}

bool ThreadGroup::set_event_for_child_tasks(std::string message, SourceLocation where) {
  return set_event(ReasonKind::requested, std::move(message), where);
}

bool ThreadGroup::set_event(ReasonKind kind, std::string message, SourceLocation where) {
  core_->check_process("set_event");
  return Forest::instance().set_event(*core_, detail::reason_from_here(kind, std::move(message), where));
}

std::size_t ThreadGroup::clear_pending(std::string message, SourceLocation where) {
  core_->check_process("clear_pending");
  if (message.empty()) message = "the pending tasks were cleared";
  return core_->pool().skip_pending(
      core_->reason_to_skip(detail::reason_from_here(ReasonKind::requested, std::move(message), where)));
}

bool ThreadGroup::skip_one(detail::TaskSlot* task, std::string&& message, SourceLocation where) {
  core_->check_process("clear_pending");
  if (task == nullptr || !task->belongs_to(core_)) {
    throw std::invalid_argument("clear_pending: the task is not one of group '" + path() + "'");
  }
  if (task->status() != TaskStatus::pending) return false;
  if (message.empty()) message = "the task was cleared";
  return core_->skip_task(*task, detail::reason_from_here(ReasonKind::requested, std::move(message), where));
}

std::optional<Reason> ThreadGroup::reason() const {
  const detail::ReasonPointer reason = core_->event().reason();
  if (!reason) return std::nullopt;
  return *reason;
}

std::stop_token ThreadGroup::get_stop_token() const {
  core_->check_process("get_stop_token");
  return core_->stop_token();
}

GroupStatistics ThreadGroup::statistics() const {
  core_->check_process("statistics");  // another thread of the parent may have held the lock across the fork
  return core_->statistics();
}

std::optional<StopLatency> ThreadGroup::stop_latency() const {
  core_->check_process("stop_latency");
  return core_->stop_latency();
}

std::string ThreadGroup::path() const { return Forest::instance().path(*core_); }

// --- Registered functions ---

void ThreadGroup::register_function(Function function) {
  core_->check_process("register_function");
  core_->registry().get_or_make().add(std::move(function));
}

void ThreadGroup::update_args_of(const std::string& function, const detail::OfferedArguments& offered) {
  core_->check_process("update_fn_args");
  const std::vector<Function> found = core_->registry().get_or_make().find(function, name());
  if (found.size() > 1) {
    throw std::invalid_argument(
        "group '" + name() + "' has " + std::to_string(found.size()) + " functions '" + function +
        "'; use `update_args` of what register_function returned to say which is meant");
  }
  const std::shared_ptr<detail::FunctionCell>& cell = found.front().cell();
  cell->replace(cell->call()->with(function, offered));
}

const ResultList& ThreadGroup::run_registered(const char* operation, ResultList& results) {
  detail::Event* const event = event_for_wait(operation);
  detail::Registry& registry = core_->registry().get_or_make();
  std::vector<detail::RegisteredCall> calls = registry.calls();
  registry.begin_run();
  try {
    results = detail::run_registered(*this, core_->pool(), std::move(calls), event);
    return registry.end_run(results, results.complete());
  } catch (...) {
    registry.abandon_run();
    throw;
  }
}

const ResultList& ThreadGroup::execute() {
  ResultList results;
  const ResultList& kept = run_registered("execute", results);
  detail::throw_function_failures(path(), results.failures(), results);
  return kept;
}

ResultList ThreadGroup::execute_results() {
  ResultList results;
  run_registered("execute_results", results);
  return results;
}

ResultStream ThreadGroup::as_completed() {
  event_for_wait("as_completed");
  detail::Registry& registry = core_->registry().get_or_make();
  // Twice the bound: while the reader looks at one result, the workers have the next tasks before them.
  const std::size_t window = 2 * core_->pool().bound();
  return ResultStream(
      [this, calls = registry.calls(), at = std::size_t{0}]() mutable {
        if (at == calls.size()) return TaskHandle<Value>();
        return detail::start_registered(*this, calls[at++]);
      },
      window, [&registry] { registry.mark_executed(); });
}

bool ThreadGroup::executed() const {
  core_->check_process("executed");  // another thread of the parent may have held the lock across the fork
  const detail::Registry* const registry = core_->registry().get();
  return registry != nullptr && registry->executed();
}

const ResultList& ThreadGroup::get_results() const {
  core_->check_process("get_results");
  const detail::Registry* const registry = core_->registry().get();
  return registry != nullptr ? registry->latest() : detail::Registry::none();
}

}  // namespace v0
}  // namespace tg
