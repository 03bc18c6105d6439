// SPDX-License-Identifier: Apache-2.0
// The thread group: a named set of tasks with a bound on concurrency and an event that stops them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

#include <threadgroup/as_completed.hpp>
#include <threadgroup/condition.hpp>
#include <threadgroup/detail/arguments.hpp>
#include <threadgroup/detail/call.hpp>
#include <threadgroup/detail/call_site.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/fork_generation.hpp>
#include <threadgroup/detail/group_link.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/task.hpp>
#include <threadgroup/detail/task_slot.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/function.hpp>
#include <threadgroup/join_result.hpp>
#include <threadgroup/options.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/results.hpp>
#include <threadgroup/source_location.hpp>
#include <threadgroup/statistics.hpp>
#include <threadgroup/task_handle.hpp>

/// The namespace of the library.
namespace tg {
inline namespace v0 {

class Attached;
class ThreadGroup;
struct ShutdownPlan;
struct ShutdownReport;

namespace detail {
class Event;
class GroupCore;
class Node;

/// Destroys a group for an owner that does not choose the thread, such as a garbage collector. If that is a
/// task of the group itself or of a group below it, this is not a mistake and is not reported: the other
/// tasks are stopped, and not awaited.
TG_EXPORT void destroy_where_it_falls(ThreadGroup* group) noexcept;

/// The failures that have not been delivered so far, without a wait, because the caller may be a task of the
/// group.
TG_EXPORT std::vector<Failure> take_failures(ThreadGroup& group);

/// The event of the group.
TG_EXPORT Event& event_of(const ThreadGroup& group);

template <class F>
concept NoTaskName =
    !std::same_as<std::remove_cvref_t<F>, TaskName> && !std::same_as<std::remove_cvref_t<F>, TaskOptions>;
}  // namespace detail

/// A named group of tasks that may block: a bound limits how many run at a time, one event stops them all.
///
///     tg::ThreadGroup group("Verifying Users", {.max_concurrent_threads = 10});
///     for (const User& user : users) group.add_task(verify, user);
///     group.wait_for_condition([&] { return verified > 0; }, 600s);     // then stops the rest
///     group.join();
///
/// A group made inside a task is a child of that task's group, or of the innermost `StopScope` or `Shield`
/// there, and is stopped together with it.
///
/// Requires: a group is destroyed neither by one of its own tasks nor by a task of a group below it. If it
/// is, that is reported as a failure, and the tasks continue without the object.
/// Guarantees: no task is killed and none is lost. Each task ends as succeeded, failed, stopped or skipped,
/// and each failure is delivered once: by a join, by a handle's `get`, or to the handler for unseen failures.
/// Thread safety: everything from any thread, except for the destructor.
/// Lifetime: the destructor stops the tasks and waits for them; handles stay valid.
class TG_EXPORT ThreadGroup {
 public:
  /// An empty name is replaced by a generated one. Throws `std::invalid_argument` if
  /// `max_concurrent_threads` is 0.
  explicit ThreadGroup(std::string name = {}, const GroupOptions& options = {});
  /// Sets the event with a reason of kind `destroyed`, and waits until all tasks have ended. If that takes
  /// longer than `ThreadEventsController::set_destructor_warning`, it names the running tasks on stderr.
  ~ThreadGroup();
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;

  /// Adds a task: `f(args...)`, or `f(stop_token, args...)` if `f` takes a `std::stop_token` first. Callable
  /// and arguments are copied or moved in, as by `std::thread`. Tasks start in the order in which one thread
  /// added them, except that a task for which another task of the group waits may start earlier, on the
  /// waiting task's thread. If the event is set, the task is skipped at once. Throws `std::system_error` if
  /// no worker can be started, and `std::bad_alloc` if memory is exhausted. The task was not added then.
  ///
  /// If the group is full (`GroupOptions::max_pending`), the call waits until a pending task begins. If the
  /// group or the caller is stopped meanwhile, the task is skipped. A task of the group itself lends its slot
  /// while it waits. A task of a group below, and a caller whose wait would close a cycle of waits, is not
  /// kept waiting: its task is added beyond the limit.
  ///
  /// The report of a failure says where the task was added. (There is one overload for each number of
  /// arguments, because no parameter after a pack can have a default. With more than three arguments the file
  /// and line are not recorded.)
  template <class F>
  requires detail::NoTaskName<F>
  auto add_task(F&& f, SourceLocation where = SourceLocation::current()) {
    return add_task_at(where, std::forward<F>(f));
  }
  /// \overload
  template <class F, class A>
  requires detail::NoTaskName<F>
  auto add_task(F&& f, A&& a, SourceLocation where = SourceLocation::current()) {
    return add_task_at(where, std::forward<F>(f), std::forward<A>(a));
  }
  /// \overload
  template <class F, class A, class B>
  requires detail::NoTaskName<F>
  auto add_task(F&& f, A&& a, B&& b, SourceLocation where = SourceLocation::current()) {
    return add_task_at(where, std::forward<F>(f), std::forward<A>(a), std::forward<B>(b));
  }
  /// \overload
  template <class F, class A, class B, class C>
  requires detail::NoTaskName<F>
  auto add_task(F&& f, A&& a, B&& b, C&& c, SourceLocation where = SourceLocation::current()) {
    return add_task_at(where, std::forward<F>(f), std::forward<A>(a), std::forward<B>(b), std::forward<C>(c));
  }
  /// \overload
  template <class F, class A, class B, class C, class D, class... More>
  requires detail::NoTaskName<F>
  auto add_task(F&& f, A&& a, B&& b, C&& c, D&& d, More&&... more) {
    return add_task_at({}, std::forward<F>(f), std::forward<A>(a), std::forward<B>(b), std::forward<C>(c),
                       std::forward<D>(d), std::forward<More>(more)...);
  }
  /// Adds a task with a name: `group.add_task(tg::TaskName("fetch 17"), fetch, 17)`. It records where the
  /// task was added for any number of arguments.
  template <class F, class... Args>
  auto add_task(TaskName name, F&& f, Args&&... args) {
    check_process("add_task");
    return hand_over_with_handle(runtime::InBlock::make<detail::NamedTask<detail::CallFor<F, Args...>>>(
        std::move(name.value), detail::CallSite(name.where), node_, std::forward<F>(f),
        std::forward<Args>(args)...));
  }

  /// Adds a task with a name, a time limit or an event of its own. If that event is set and the task leaves by a
  /// `Stopped`, it ends as `stopped`.
  template <class F, class... Args>
  auto add_task(TaskOptions options, F&& f, Args&&... args) {
    check_process("add_task");
    return hand_over_with_handle(
        make_task(std::move(options), std::forward<F>(f), std::forward<Args>(args)...));
  }

  /// As `add_task`, if the group has room (`GroupOptions::max_pending`); otherwise it returns nothing, and
  /// callable and arguments are unchanged. Where the task was added is recorded only with a name or options.
  template <class F, class... Args>
  requires detail::NoTaskName<F>
  auto try_add_task(F&& f, Args&&... args) {
    using Call = detail::CallFor<F, Args...>;
    return add_if_room<Call>([&] {
      return runtime::InBlock::make<detail::CallableTask<Call>>(detail::CallSite(), node_, std::forward<F>(f),
                                                                std::forward<Args>(args)...);
    });
  }
  /// \overload
  template <class F, class... Args>
  auto try_add_task(TaskName name, F&& f, Args&&... args) {
    using Call = detail::CallFor<F, Args...>;
    return add_if_room<Call>([&] {
      return runtime::InBlock::make<detail::NamedTask<Call>>(std::move(name.value),
                                                             detail::CallSite(name.where), node_,
                                                             std::forward<F>(f), std::forward<Args>(args)...);
    });
  }
  /// \overload
  template <class F, class... Args>
  auto try_add_task(TaskOptions options, F&& f, Args&&... args) {
    return add_if_room<detail::CallFor<F, Args...>>(
        [&] { return make_task(std::move(options), std::forward<F>(f), std::forward<Args>(args)...); });
  }

  /// Adds a task without a handle, which is cheaper. A result is dropped; a failure still reaches the join.
  template <class F>
  requires detail::NoTaskName<F>
  void post(F&& f, SourceLocation where = SourceLocation::current()) { post_at(where, std::forward<F>(f)); }
  /// \overload
  template <class F, class A>
  requires detail::NoTaskName<F>
  void post(F&& f, A&& a, SourceLocation where = SourceLocation::current()) {
    post_at(where, std::forward<F>(f), std::forward<A>(a));
  }
  /// \overload
  template <class F, class A, class B>
  requires detail::NoTaskName<F>
  void post(F&& f, A&& a, B&& b, SourceLocation where = SourceLocation::current()) {
    post_at(where, std::forward<F>(f), std::forward<A>(a), std::forward<B>(b));
  }
  /// \overload
  template <class F, class A, class B, class C>
  requires detail::NoTaskName<F>
  void post(F&& f, A&& a, B&& b, C&& c, SourceLocation where = SourceLocation::current()) {
    post_at(where, std::forward<F>(f), std::forward<A>(a), std::forward<B>(b), std::forward<C>(c));
  }
  /// \overload
  template <class F, class A, class B, class C, class D, class... More>
  requires detail::NoTaskName<F>
  void post(F&& f, A&& a, B&& b, C&& c, D&& d, More&&... more) {
    post_at({}, std::forward<F>(f), std::forward<A>(a), std::forward<B>(b), std::forward<C>(c),
            std::forward<D>(d), std::forward<More>(more)...);
  }
  /// \overload
  template <class F, class... Args>
  void post(TaskName name, F&& f, Args&&... args) {
    static_cast<void>(add_task(std::move(name), std::forward<F>(f), std::forward<Args>(args)...));
  }
  /// \overload
  template <class F, class... Args>
  void post(TaskOptions options, F&& f, Args&&... args) {
    static_cast<void>(add_task(std::move(options), std::forward<F>(f), std::forward<Args>(args)...));
  }

  /// Waits until no task is pending or running, then throws the failures that were not delivered before: a
  /// single one as itself, several as `TaskFailures`. Any number of threads may join, and the group can be
  /// used again afterwards. If the event of the caller's scope or group is set first, and this group is not
  /// below that one, it returns early; the result says so.
  ///
  /// A caller outside any task, or in a task of a group above this one, runs pending tasks of this group on
  /// its own stack while a slot is free, as one of the group's workers. That does not delay the join,
  /// because these tasks have to end first anyway. The caller runs none while it is in a `StopScope` or `Shield`
  /// or handles an exception, or if it has used half of its stack.
  ///
  /// Throws `std::system_error` (`resource_deadlock_would_occur`) in a task of this group or of a group below
  /// it, and if the wait would deadlock because a task of this group waits, directly or not, for the caller.
  JoinResult join();
  /// As `join`, but returns when the time-out passes; then the result says what is left, and the group is
  /// unchanged. It runs no tasks itself, not even with `Duration::max()`, which never passes.
  [[nodiscard]] JoinResult join(Duration timeout);
  /// As `join`, but the failures are in the result and are not thrown.
  [[nodiscard]] JoinResult wait_idle();
  /// As `join` with a time-out, but the failures are in the result and are not thrown.
  [[nodiscard]] JoinResult wait_idle(Duration timeout);

  /// Registers `f(args...)` to be run by `execute`, and returns a callable that calls `f` directly. The
  /// arguments are kept as `Function` says. Several functions may share a name. Throws
  /// `std::invalid_argument` if the name is empty.
  template <class F, class... Args>
  RegisteredFunction<std::decay_t<F>> register_function(FunctionName name, F&& f, Args&&... args) {
    RegisteredFunction<std::decay_t<F>> made(std::move(name), std::in_place_type<std::decay_t<F>>,
                                             std::forward<F>(f), std::forward<Args>(args)...);
    register_function(made.function());
    return made;
  }
  /// Registers a function made by `create_function`.
  void register_function(Function function);
  /// Replaces the arguments that `execute` passes to the function of this name. Runs that have begun keep
  /// their arguments. Throws `std::out_of_range` if no function has the name, `std::invalid_argument` if
  /// several have it, and `ArgumentError` if number or types of the arguments are wrong.
  template <class... Args>
  void update_fn_args(const std::string& name, Args&&... args) {
    detail::with_offered([&](const detail::OfferedArguments& offered) { update_args_of(name, offered); },
                         std::forward<Args>(args)...);
  }

  /// Runs the registered functions, as many at a time as the group's bound permits, waits for all of them,
  /// and returns their results in the order of registration. If any failed, it then throws
  /// `FunctionFailures`; the results are also in `get_results`. When the event is set, functions that have
  /// not started are skipped, and the results say so. If the event of the caller's scope or group is set first
  /// and this group is not below that one, the results are not `complete`. Throws `std::system_error`
  /// (`resource_deadlock_would_occur`) where `join` does.
  ///
  /// The list is valid until an `execute` begins while no other is running.
  const ResultList& execute();
  /// Calls `execute`.
  const ResultList& operator()() { return execute(); }
  /// As `execute`, but failures are in the results and are not thrown.
  ResultList execute_results();
  /// Runs the registered functions and yields the results one by one, in the order in which the functions
  /// end. They are not kept for `get_results`. Failures are in the results and are not thrown.
  ResultStream as_completed();
  /// True if a run by `execute` or `as_completed` has been completed, with or without failures.
  bool executed() const;
  /// The results of the latest `execute`; empty before the first.
  const ResultList& get_results() const;

  /// Waits until the predicate is true, and then stops the group. The predicate is called once at the start,
  /// whenever a task ends, at each `notify`, at least every `interval`, and once when the time is up. What it
  /// throws is passed on, and the event is not set then. Throws `std::invalid_argument` if the interval is
  /// not above zero.
  WaitStatus wait_for_condition(Predicate predicate, Duration timeout, const ConditionOptions& options = {},
                                SourceLocation where = SourceLocation::current());
  /// Makes every `wait_for_condition` on this group call its predicate again.
  void notify();

  /// Stops this group and all groups below it: pending tasks are skipped, waiting tasks wake. True if this
  /// call set the event. If another call set it first, the events of all these groups are set as well when
  /// this call returns.
  bool set_event(std::string message = {}, SourceLocation where = SourceLocation::current());
  /// The same with another kind of reason.
  bool set_event(ReasonKind kind, std::string message, SourceLocation where = SourceLocation::current());
  /// Does what `set_event` does. The name says that the groups of child tasks are stopped, too.
  bool set_event_for_child_tasks(std::string message = {}, SourceLocation where = SourceLocation::current());
  /// Skips the tasks that have not started, and returns their number. Running tasks are not affected, and the
  /// group is not stopped.
  std::size_t clear_pending(std::string message = {}, SourceLocation where = SourceLocation::current());
  /// Skips this task if it has not started. True if this call skipped it. Throws `std::invalid_argument` for
  /// a task of another group.
  template <class T>
  bool clear_pending(const TaskHandle<T>& task, std::string message = {},
                     SourceLocation where = SourceLocation::current()) {
    return skip_one(detail::SlotOf::get(task), std::move(message), where);
  }
  /// Shuts down this group and all groups below it, in two stages, and reports what is left. First they drain:
  /// they finish what they have, and take no task from outside; such a task is skipped, with a reason of kind
  /// `draining`. What their own tasks add is taken. When all tasks have ended, or `plan.drain` has passed, or
  /// the group or the caller is stopped, the event is set. The call returns once no task is left, or
  /// `plan.stop` has passed; then it names the tasks that run on. `ShutdownPlan` and the report are in
  /// `<threadgroup/shutdown.hpp>`.
  ///
  ///     std::cerr << group.shut_down({.drain = 3s, .stop = 1s}).str() << '\n';
  ///
  /// Throws `std::system_error` (`resource_deadlock_would_occur`) in a task of this group or of a group below
  /// it.
  ShutdownReport shut_down(ShutdownPlan plan, SourceLocation where = SourceLocation::current());
  /// True from the first stage of a shutdown on: the group takes no task from outside any more.
  bool is_draining() const noexcept;
  /// True if the group was stopped.
  bool event_is_set() const noexcept;
  /// Why the group was stopped, if it was.
  std::optional<Reason> reason() const;
  /// A token whose stop is requested when the event is set.
  std::stop_token get_stop_token() const;

  /// The name given to the constructor, or the generated one.
  const std::string& name() const noexcept;
  /// The group's id, for lookups in snapshots.
  GroupId id() const noexcept;
  /// The names from the root to this group: "MainThread/Verifying Users".
  std::string path() const;
  /// The counts of the group's tasks and threads at this moment.
  GroupStatistics statistics() const;

  /// How fast the group was when it was stopped: the time from the stop to the end of the last task that ran
  /// then. Nothing if it was not stopped, or if no task was running.
  std::optional<StopLatency> stop_latency() const;

  /// For components that add tasks later, when the group may have been destroyed.
  detail::GroupLink link();

 private:
  template <class F, class... Args>
  auto add_task_at(const SourceLocation& where, F&& f, Args&&... args) {
    check_process("add_task");
    return hand_over_with_handle(runtime::InBlock::make<detail::CallableTask<detail::CallFor<F, Args...>>>(
        detail::CallSite(where), node_, std::forward<F>(f), std::forward<Args>(args)...));
  }
  template <class F, class... Args>
  void post_at(const SourceLocation& where, F&& f, Args&&... args) {
    check_process("post");
    hand_over(runtime::InBlock::make<detail::PostedTask<detail::CallFor<F, Args...>>>(
        detail::CallSite(where), std::forward<F>(f), std::forward<Args>(args)...));
  }

  template <class F, class... Args>
  detail::CallableTask<detail::CallFor<F, Args...>>* make_task(TaskOptions&& options, F&& f, Args&&... args) {
    using Call = detail::CallFor<F, Args...>;
    const detail::CallSite place(options.where);
    if (options.time_limit || options.own_event)
      return runtime::InBlock::make<detail::ScopedTask<Call>>(options.time_limit, std::move(options.name),
                                                              place, node_, std::forward<F>(f),
                                                              std::forward<Args>(args)...);
    return runtime::InBlock::make<detail::NamedTask<Call>>(std::move(options.name), place, node_,
                                                           std::forward<F>(f), std::forward<Args>(args)...);
  }

  template <class Call>
  TaskHandle<typename Call::Result> hand_over_with_handle(detail::CallableTask<Call>* task) {
    TaskHandle<typename Call::Result> handle(task);
    hand_over(task);
    return handle;
  }

  // `make` makes the task once there is room for it, so that a caller that is refused keeps its arguments.
  template <class Call, class Make>
  std::optional<TaskHandle<typename Call::Result>> add_if_room(Make make) {
    check_process("try_add_task");
    if (!try_take_room()) return std::nullopt;
    detail::CallableTask<Call>* task = nullptr;
    try {
      task = make();
    } catch (...) {
      give_room_back();
      throw;
    }
    TaskHandle<typename Call::Result> handle(task);
    try {
      add_to_room(*task);
    } catch (...) {
      task->discard();
      throw;
    }
    return handle;
  }

  // Before a task is made: in a forked child the caller keeps its arguments.
  void check_process(const char* operation) const {
    if (fork_generation_ != runtime::fork_generation()) throw_forked(operation);
  }
  [[noreturn]] void throw_forked(const char* operation) const;
  // Every task goes through one of these calls.
  void add_to_pool(detail::Task& task);
  bool try_take_room();
  void add_to_room(detail::Task& task);
  void give_room_back() noexcept;

  // Gives the task to the pool, or destroys it if the pool does not take it.
  template <class T>
  void hand_over(T* task) {
    try {
      add_to_pool(*task);
    } catch (...) {
      task->discard();
      throw;
    }
  }

  bool skip_one(detail::TaskSlot* task, std::string&& message, SourceLocation where);
  TG_LOCAL JoinResult wait_until_idle(TimePoint deadline, bool may_help, const char* operation);
  TG_LOCAL JoinResult join_until(TimePoint deadline, bool may_help);
  TG_LOCAL JoinResult wait_idle_until(TimePoint deadline, bool may_help);
  TG_LOCAL void report_all(const std::vector<Failure>& failures) const;

  void update_args_of(const std::string& name, const detail::OfferedArguments& offered);
  TG_LOCAL detail::Event* event_for_wait(const char* operation) const;
  TG_LOCAL const ResultList& run_registered(const char* operation, ResultList& results);

  friend void detail::destroy_where_it_falls(ThreadGroup*) noexcept;
  friend std::vector<Failure> detail::take_failures(ThreadGroup&);
  friend detail::Event& detail::event_of(const ThreadGroup&);
  friend class Attached;

  detail::GroupCore* const core_;  // one reference
  const std::uint32_t fork_generation_ = runtime::fork_generation();
  detail::Node& node_;  // the same object, as the type that this header knows
};

}  // namespace v0
}  // namespace tg
