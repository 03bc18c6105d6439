// SPDX-License-Identifier: Apache-2.0
// System calls that meet a stop. The kernel is simulated: a call blocks until the signal comes.
#include <cerrno>
#include <string_view>

#include "explorations/explore.hpp"
#include "explorations/reports.hpp"
#include "explorations/signals.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "support/nodes.hpp"
#include "tree/call_registration.hpp"

namespace tg::test {
namespace call_exploration {
namespace {

using detail::CallRegistration;

// As `CoveredCall` makes it.
long call(detail::Node& node, bool blocks) {
  if (node.event().is_set()) return -ECANCELED;
  CallRegistration& mine = *CallRegistration::of(runtime::Flow::current());
  mine.cover(node);
  const auto is_set = [&] { return node.event().is_set(); };
  const void* const outer = mine.calls().enter(node.event().word());
  const long result = blocks ? mine.calls().block_until_signal(is_set) : is_set() ? -ECANCELED : 0;
  mine.calls().leave(outer);
  return is_set() ? mine.end_of_stopped(result, outer) : result;
}

TG_EXPLORATION(CallExploration, a_stop_ends_a_call_that_blocks) {
  const Linked node("node");
  together({{"calls",
             [&] {
               const Inside inside(*node);
               require(call(*node, true) == -ECANCELED && node->event().is_set(), "the stop ended the call");
             }},
            {"sets", [&] { set_event(node); }}});
}
TG_FINDS(CallExploration, a_stop_ends_a_call_that_blocks, call_does_not_watch, 500)
TG_IN_WEAK_MEMORY(CallExploration, a_stop_ends_a_call_that_blocks)

// The flow is registered already, so that nothing but the pair of fences orders its call and the stop.
TG_EXPLORATION(CallExploration, a_stop_meets_the_second_call) {
  const Linked node("node");
  together({{"calls",
             [&] {
               const Inside inside(*node);
               if (call(*node, false) != 0) return;
               require(call(*node, true) == -ECANCELED && node->event().is_set(), "the stop ended the call");
             }},
            {"sets", [&] { set_event(node); }}});
}
TG_IN_WEAK_MEMORY(CallExploration, a_stop_meets_the_second_call)
TG_FINDS(CallExploration, a_stop_meets_the_second_call_in_weak_memory, tree_setter_has_no_heavy_fence, 2000)
TG_FINDS(CallExploration, a_stop_meets_the_second_call_in_weak_memory, call_is_entered_without_fence, 2000)

// The signal for the first node does not end a call under the second one.
TG_EXPLORATION(CallExploration, a_signal_does_not_reach_a_later_call) {
  const Linked first("first");
  const Linked second("second");
  Signal is_in_second;
  together({{"calls",
             [&] {
               {
                 const Inside inside(*first);
                 call(*first, false);
               }
               const Inside inside(*second);
               is_in_second.send();
               require(call(*second, true) == -ECANCELED && second->event().is_set(),
                       "only the second stop ended the second call");
               CallRegistration::of(runtime::Flow::current())->end();
             }},
            {"sets both", [&] {
               set_event(first);
               is_in_second.wait();
               set_event(second);
             }}});
}
TG_FINDS(CallExploration, a_signal_does_not_reach_a_later_call, call_does_not_wait_for_setter, 4000)
TG_FINDS(CallExploration, a_signal_does_not_reach_a_later_call, call_leaves_its_signal_behind, 4000)
TG_IN_WEAK_MEMORY(CallExploration, a_signal_does_not_reach_a_later_call)

TG_EXPLORATION(CallExploration, a_stop_meets_the_end_of_the_registration) {
  const Linked node("node");
  together({{"calls",
             [&] {
               {
                 const Inside inside(*node);
                 call(*node, false);
               }
               CallRegistration::of(runtime::Flow::current())->end();
             }},
            {"sets", [&] { set_event(node); }}});
  require(!CallRegistration::any(), "no flow is registered");
}
TG_IN_WEAK_MEMORY(CallExploration, a_stop_meets_the_end_of_the_registration)

// A third flow checks whether the signal has come. It may find the registration in its last moment.
TG_EXPLORATION(CallExploration, a_check_for_blocked_signals_meets_the_end_of_the_registration) {
  Linked node("node");
  BareNode& raw = *node;
  raw.add_reference();
  together({{"calls",
             [&] {
               {
                 const Inside inside(raw);
                 call(raw, true);
               }
               node.reset();
             }},
            {"sets",
             [&] {
               detail::Forest::instance().set_event(raw, Reason{});
               require(BareNode::alive == 1, "this reference holds the node");
               raw.release();
             }},
            {"checks", [] {
               const TimePoint later = runtime::now() + std::chrono::hours(1);
               require(CallRegistration::report_blocked(later).is_never(), "there is nothing to check again");
             }}});
  require(!CallRegistration::any(), "no flow is registered");
}
TG_FINDS(CallExploration, a_check_for_blocked_signals_meets_the_end_of_the_registration,
         call_check_holds_no_reference, 8000)
TG_IN_WEAK_MEMORY(CallExploration, a_check_for_blocked_signals_meets_the_end_of_the_registration)

// --- Each blocked signal is reported ---

// A task of a node of its own, on a thread that blocks the signal.
class Blocked {
 public:
  explicit Blocked(const char* name) : node_(name), name_(name) {}

  // Makes a call that only the report of its thread ends.
  void call() {
    const Inside inside(*node_);
    CallRegistration& mine = *CallRegistration::of(runtime::Flow::current());
    mine.cover(*node_);
    mine.name_call("read");
    mine.calls().block_signal();
    const void* const outer = mine.calls().enter(node_->event().word());
    node_.is_set() ? is_over_.send() : is_over_.wait();
    mine.calls().leave(outer);
    if (node_.is_set()) mine.end_of_stopped(-ECANCELED, outer);
    mine.end();
  }
  void stop() { set_event(node_); }
  // It is reported, or was stopped before the call.
  void wait() { is_over_.wait(); }

  void note_report(std::string_view lines) {
    if (lines.find(name_) != std::string_view::npos) is_over_.send();
  }

 private:
  const Linked node_;
  const char* const name_;
  Signal is_over_;
};

TG_EXPLORATION(CallExploration, a_stop_meets_the_check_for_an_earlier_one) {
  hold_clock();
  Blocked first("first");
  Blocked second("second");
  const Reports reports([&](std::string_view lines) {
    first.note_report(lines);
    second.note_report(lines);
  });
  together({{"first", [&] { first.call(); }},
            {"second", [&] { second.call(); }},
            {"stops the first", [&] { first.stop(); }},
            {"stops the second", [&] {
               first.wait();  // the check is under way
               second.stop();
             }}});
}
TG_FINDS(CallExploration, a_stop_meets_the_check_for_an_earlier_one, signals_are_missed_during_the_check,
         2000)
TG_IN_WEAK_MEMORY(CallExploration, a_stop_meets_the_check_for_an_earlier_one)
TG_FINDS(CallExploration, a_stop_meets_the_check_for_an_earlier_one_in_weak_memory,
         signals_note_is_not_ordered, 4000)

}  // namespace
}  // namespace call_exploration
}  // namespace tg::test
