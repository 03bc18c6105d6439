// SPDX-License-Identifier: Apache-2.0
// Scopes that stop a block of code on any thread, shields against stops, and functions that a stop calls.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/fork_generation.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/source_location.hpp>

namespace tg::inline v0::runtime {
class Flow;
}

namespace tg {
inline namespace v0 {

namespace detail {
class Event;
class Node;
class ScopeNode;
class ShieldNode;
class StopSource;

/// A node of the forest that is the innermost one of a flow for as long as the object lives.
class TG_EXPORT Scope {
 public:
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  Node& node() const noexcept { return *node_; }
  const Scope* outer() const noexcept { return outer_; }

 protected:
  /// Enters. The node is linked, and stays alive until the scope is left.
  explicit Scope(Node& node);
  bool is_of_parent() const noexcept { return fork_generation_ != runtime::fork_generation(); }
  ~Scope() = default;
  /// Leaves. Ends the process with a message if this is another flow, or not the innermost scope of this one.
  /// False in a forked child, where the node is the parent's.
  bool leave() noexcept;

 public:
  /// Ends the process with a message: the task is over, and this scope of it is not.
  [[noreturn]] static void end_task_with_open(const Scope& open, const std::string& task,
                                              const Node& group) noexcept;

 private:
  Node* const node_;
  runtime::Flow* const flow_;
  Scope* const outer_;
  Event* const outer_event_;
  const std::uint32_t fork_generation_;
};
}  // namespace detail

/// Stops a part of a task, or any piece of code on any thread, after a time or on request.
///
///     tg::StopScope scope(5s, "fetch prices");
///     const auto outcome = handle.wait();                 // `event_set` after 5 s
///     if (scope.timed_out()) use_old_prices();
///
/// While it lives, all event-aware calls of its flow (its task, or its thread outside of tasks) are stopped by
/// the scope: when its time is up, after `set_event`, and when anything around it is stopped. A group that the
/// flow makes meanwhile becomes a child of the scope, and is stopped with it. In a snapshot the scope is a node
/// without tasks.
///
/// While a flow is in a scope, its waits do not run pending tasks on its own stack, because it could then miss the
/// scope's deadline.
///
/// Requires: scopes are destroyed in the reverse order of their construction, on the thread, or in the task,
/// that made them, before that task ends. Otherwise the process ends with a message that names the scopes.
/// Guarantees: an event-aware call that begins after the stop returns at once. A group that outlives the scope
/// is handed to the node above.
/// Thread safety: `set_event`, `event_is_set`, `timed_out`, `reason` and `get_stop_token` from any thread.
class TG_EXPORT StopScope : private detail::Scope {
 public:
  /// Its event is set, with a reason of kind `deadline`, when this time has passed since the construction; at
  /// once for a time of zero or less. Throws `std::system_error` or `std::bad_alloc` if the thread that waits for
  /// deadlines cannot be started.
  explicit StopScope(Duration time_limit, std::string name = {});
  /// Without a time limit. Throws `std::bad_alloc`.
  explicit StopScope(std::string name = {});
  ~StopScope();

  /// Stops the scope and all below it. True if this call set the event. False in a forked child, for a scope of the
  /// parent.
  bool set_event(std::string message = {}, SourceLocation where = SourceLocation::current());
  /// True if the scope, or anything around it, was stopped.
  bool event_is_set() const noexcept;
  /// True if it was stopped because its own time was up.
  bool timed_out() const noexcept;
  /// Why it was stopped, if it was.
  std::optional<Reason> reason() const;
  /// A token whose stop is requested when the event is set.
  std::stop_token get_stop_token() const;

 private:
  detail::ScopeNode& scope_;
};

/// Holds back stops from outside for a time, so that a stopped task can clean up.
///
///     tg::Shield shield(2s, "roll back");
///     connection.roll_back();           // groups, handles and waits in here work although the task was stopped
///
/// The grace begins when anything around the shield is stopped, or with the construction if that stop came
/// first. When it is over, the event-aware calls inside are stopped, for the reason of the stop outside. Without a
/// stop outside, the shield is never stopped.
///
/// Requires: as for `StopScope`.
/// Guarantees: if the thread that times the grace cannot be started, the grace is over at once.
/// Thread safety: belongs to the thread or task that made it.
class TG_EXPORT Shield : private detail::Scope {
 public:
  /// Throws `std::bad_alloc`.
  explicit Shield(Duration grace, std::string name = {});
  ~Shield();

 private:
  detail::ShieldNode& shield_;
};

/// Calls a function once when the innermost scope, or the group of the caller's task, is stopped.
///
///     const tg::OnStop close([&] { ::shutdown(socket, SHUT_RDWR); });   // ends a blocking `read` in this task
///
/// If the stop came first, the constructor calls the function. Otherwise the thread that sets the event calls it (at a
/// deadline: a thread of the library), after all waiting threads were woken, with no lock held. Outside scopes and
/// tasks it is never called.
///
/// Requires: the function does not throw: `std::terminate` is called otherwise.
/// Guarantees: once the destructor has returned, the function neither runs nor will run: the destructor waits for a
/// call that has begun on another thread. The function may destroy the object.
/// Thread safety: belongs to one thread, except for the call of the function.
class TG_EXPORT OnStop {
 public:
  /// Copies or moves the function in.
  template <class F>
  requires std::invocable < std::decay_t<F>
  & > &&(!std::same_as<std::remove_cvref_t<F>, OnStop>)explicit OnStop(F&& f)
      : function_(std::forward<F>(f)) {
    begin();
  }
  ~OnStop();
  OnStop(const OnStop&) = delete;
  OnStop& operator=(const OnStop&) = delete;

 private:
  friend class detail::StopSource;
  void begin();
  TG_LOCAL void call() noexcept;
  TG_LOCAL void wait_for_end_of_call() noexcept;

  UniqueFunction<void()> function_;
  // Guarded by the lock of the `StopSource`. `link_` is null while the object is not linked.
  OnStop* next_ = nullptr;
  OnStop** link_ = nullptr;
  detail::Node* covered_by_ = nullptr;  // a reference; null: never called
  // Atomic: where the flow that calls the function and the flow that destroys the object meet. Null: neither is
  // there. A flow: it waits for the end of the call. This object: the call has ended.
  detail::Atomic<void*> meeting_{nullptr};
  // Atomic: the flow that calls writes it, the destructor's flow reads it.
  detail::Atomic<runtime::Flow*> caller_{nullptr};
  bool* is_gone_ = nullptr;  // used by the flow that calls
  const std::uint32_t fork_generation_ = runtime::fork_generation();
};

}  // namespace v0
}  // namespace tg
