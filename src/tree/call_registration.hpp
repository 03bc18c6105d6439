// SPDX-License-Identifier: Apache-2.0
// A flow whose system calls an event stops.
//
// Invariants
//   T10. If one flow enters a call while another sets its event, at least one of them notices: the first finds the event
//       set before it enters the kernel, or the second finds it in the call and sends it the signal.
//   T11. A setter sends at most one signal for each registration (the thread may send it to itself again), and the flow
//       has received it before the registration ends.
//   T12. The node of a registration is changed under its lock, so a flow that reads another flow's registration can take
//       a reference before the node is released.
//
// docs/system_calls.md explains the calls, src/posix/README.md the protocol.
#pragma once

#include <cstdint>
#include <optional>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/duration.hpp>

#include "event/event.hpp"
#include "runtime/flow.hpp"
#include "runtime/stop_signal.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// Registers a flow with the event that stops its calls: with the first call under that event, so that the calls
/// which follow cost a few stores and loads.
///
///     CallRegistration* const mine = CallRegistration::of(flow);
///     if (mine == nullptr || !mine->cover(node)) return plain_call(...);
///     const void* const outer = mine->calls().enter(node.event().word());
///     long result = stoppable_call(node.event().word(), ...);
///     mine->calls().leave(outer);
///     if (node.event().is_set()) result = mine->end_of_stopped(result, outer);
///
/// Thread safety: by the flow itself; `any` and `report_blocked` from any thread.
/// Lifetime: stays with the flow, in whose memory it is. That memory is never given back. While it is registered it holds a reference to
/// the node.
class CallRegistration {
 public:
  /// Made at the flow's first use, without a lock, and without memory but in a simulation: the first call may be one of a
  /// signal handler that has interrupted anything. Null in a handler that has interrupted the making, and at the first use
  /// in a child of `vfork`. Throws as `StopSignal::install`.
  static CallRegistration* of(runtime::Flow& flow) {
    return flow.call_registration != nullptr ? flow.call_registration : make_for(flow);
  }
  /// After this time a thread that does not block the signal has received it.
  static constexpr Duration kReportAfter = Duration::from_nanos(100'000'000);
  /// Reports each flow whose signal was sent that long before `now` and is pending, because the thread blocks it. Returns
  /// when to check again: never if no younger signal is on its way.
  static TimePoint report_blocked(TimePoint now) noexcept;

  runtime::CallState& calls() noexcept { return calls_; }
  /// The flow is about to enter this call, "read"; a static text.
  void name_call(const char* name) noexcept { call_name_.store(name, std::memory_order_relaxed); }
  /// From here on the event of the node stops the flow's calls. False if its next call cannot be stopped: the caller is a
  /// handler of the program that has interrupted a change of the registration, or a child of `vfork`, which would register
  /// itself instead of its parent. Requires: the event is the flow's innermost one.
  bool cover(Node& node) noexcept {
    if (is_changing_) [[unlikely]]
      return false;
    if (node_ != &node) [[unlikely]]
      return move_to(node);
    if (calls_.must_unblock()) [[unlikely]]
      calls_.unblock();
    return true;
  }
  /// To be called after a call, once the event is set. Waits for the signal, if one was announced. Returns the result of
  /// the call, which is `-ECANCELED` if it was interrupted.
  long end_of_stopped(long result, const void* outer) noexcept;
  /// The event no longer stops the flow's calls. Returns once neither a setter nor a signal can reach the flow.
  void end() noexcept;
  /// Ends the registration if it is with this node, which the flow is about to leave.
  void end_if_covered_by(const Node& node) noexcept;
  /// In a forked child: what flows are registered with is the parent's.
  static void forget_all() noexcept;

  /// Whether any flow of the process is registered. Sequentially consistent (T10).
  static bool any() noexcept { return registered_.load(std::memory_order_seq_cst) != 0; }

 private:
  struct Link : WaitNode {
    Link(CallRegistration& of, const void* of_event) noexcept
        : WaitNode(&CallRegistration::stop), owner(of), word(of_event) {}
    CallRegistration& owner;
    const void* const word;
  };
  explicit CallRegistration(runtime::Flow& flow) noexcept : flow_(flow) {}
  static CallRegistration* make_for(runtime::Flow& flow);
  static void make_once(runtime::Flow& flow);
  static bool end_with_thread(runtime::Flow& flow) noexcept;
  class Change;
  bool move_to(Node& node) noexcept;
  void wait_until_looked() noexcept;
  void wait_for_setter() noexcept;
  static void stop(WaitNode& link) noexcept;
  struct Due;
  TimePoint report_if_blocked(TimePoint now) noexcept;
  Due begin_report_locked(TimePoint now) noexcept TG_REQUIRES(mutex_);

  static constinit Atomic<std::uint32_t>
      registered_;  // atomic: changed by all flows, read by those who set events

  static constinit Atomic<CallRegistration*> all_;  // atomic: any flow puts its own in front

  runtime::Flow& flow_;
  CallRegistration* next_ = nullptr;  // constant once it is in the list
  runtime::CallState calls_;
  Atomic<const char*> call_name_{nullptr};  // atomic: written by the flow, for a report by another one
  Mutex mutex_;
  // With which it is registered. The flow writes it under the lock, and reads it without; others read it under the lock.
  Node* node_ = nullptr;
  bool is_reported_ TG_GUARDED_BY(mutex_) = false;
  Atomic<std::int64_t> stopped_at_{0};  // in nanoseconds; atomic: written by the setter, for that report
  volatile bool is_changing_ = false;   // read by handlers on the same thread
  std::optional<Link> link_;            // in the queue of the node's event, or taken by a setter
  Atomic<bool> looked_{false};          // atomic: the setter's last write, which the flow waits for
};

}  // namespace tg::inline v0::detail
