// SPDX-License-Identifier: Apache-2.0
// Calls that may be abandoned, and stops that meet their ends.
#include <threadgroup/abandonable.hpp>
#include <threadgroup/attached.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/scope.hpp>
#include <threadgroup/shutdown.hpp>
#include <threadgroup/thread_group.hpp>

#include <memory>
#include <string_view>

#include "abandon/call_bound.hpp"
#include "explorations/explore.hpp"
#include "explorations/reports.hpp"
#include "explorations/signals.hpp"
#include "sim/plain.hpp"
#include "support/nodes.hpp"

namespace tg::test {
namespace abandon_exploration {
namespace {

// How many results there are. They are made on one flow and destroyed on another.
class Result {
 public:
  explicit Result(int& alive) : alive_(&alive) { ++*alive_; }
  Result(Result&& other) noexcept : alive_(std::exchange(other.alive_, nullptr)), value_(other.value_) {}
  ~Result() {
    if (alive_ != nullptr) --*alive_;
  }
  int value() const { return value_; }

 private:
  int* alive_;
  int value_ = 7;
};
struct Alive {
  int& count;
};

// As one call after the other needs the only permit, it shows whether each is given back.
void make_two(int& alive, int& stopped) {
  for (int i = 0; i < 2; ++i) {
    try {
      const Result result = abandonable(
          TaskName("call"), [](Alive a) { return Result(a.count); }, Alive{alive});
      require(result.value() == 7, "the caller has the result");
    } catch (const Stopped&) {
      ++stopped;
    }
  }
}

TG_EXPLORATION(AbandonExploration, a_stop_meets_the_end_of_a_call) {
  hold_clock();
  set_max_abandonable_calls(1);
  int alive = 0;
  {
    const Linked node("node");
    together({{"calls",
               [&] {
                 const Inside inside(*node);
                 int stopped = 0;
                 make_two(alive, stopped);
                 require(stopped == 0 || node->event().is_set(), "only a stop ends a call");
               }},
              {"sets", [&] { set_event(node); }}});
  }
  pause();  // until the thread of a call that was abandoned has ended
  require(alive == 0, "each result was destroyed once");
  require(ThreadEventsController::instance().snapshot().nodes.empty(), "no call is left");
  const Linked other("other");
  const Inside inside(*other);
  require(abandonable(TaskName("last"), [] { return 5; }) == 5, "the permit was given back");
}
TG_FINDS(AbandonExploration, a_stop_meets_the_end_of_a_call, abandon_caller_leaves_what_ended, 500)
TG_FINDS(AbandonExploration, a_stop_meets_the_end_of_a_call, abandon_thread_does_not_wake, 500)

// Two flows, one permit: the one that waits is stopped as the permit comes to it, and a third needs it.
TG_EXPLORATION(AbandonExploration, a_stop_meets_a_permit) {
  hold_clock();
  set_max_abandonable_calls(1);
  const Linked first("first");
  const Linked second("second");
  const auto call_in = [](const Linked& node) {
    const Inside inside(*node);
    try {
      require(abandonable(TaskName("call"), [] { return 5; }) == 5, "the call was made");
    } catch (const Stopped&) {
      require(node.is_set(), "only a stop ends a wait");
    }
  };
  together({{"calls", [&] { call_in(first); }},
            {"calls too", [&] { call_in(first); }},
            {"is stopped", [&] { call_in(second); }},
            {"sets", [&] { set_event(second); }}});
}
TG_FINDS(AbandonExploration, a_stop_meets_a_permit, abandon_leaver_keeps_its_permit, 4000)

// The call that holds the only permit waits for a call inside it.
TG_EXPLORATION(AbandonExploration, an_inner_call_waits_for_no_permit) {
  hold_clock();
  set_max_abandonable_calls(1);
  const Linked node("node");
  const Inside inside(*node);
  require(abandonable(TaskName("outer"),
                      [] {
                        const StopScope scope;
                        return abandonable(TaskName("inner"), [] { return 5; });
                      }) == 5,
          "both calls were made");
}
TG_FINDS(AbandonExploration, an_inner_call_waits_for_no_permit, abandon_inner_call_waits, 10)

// Whether the caller was stopped, before the call or in it.
template <class... Args>
bool call_is_stopped(Args... args) {
  try {
    abandonable(TaskName("call"), args...);
    return false;
  } catch (const Stopped&) {
    return true;
  }
}

// What a call waits for that goes on after its caller.
struct Until {
  Signal& may_end;
};

// A caller waits for the permit of a call that ends as it is abandoned, or before.
TG_EXPLORATION(AbandonExploration, only_calls_that_were_abandoned_are_shown) {
  hold_clock();
  int reports = 0;
  const Reports counted([&](std::string_view) { ++reports; });
  set_max_abandonable_calls(1);
  bool was_stopped = false;
  bool was_seen = false;
  const Linked first("first");
  const Linked second("second");
  together({{"calls",
             [&] {
               const Inside inside(*first);
               was_stopped = call_is_stopped([] {});
             }},
            {"waits",
             [&] {
               const Inside inside(*second);
               abandonable(TaskName("other"), [] {});
             }},
            {"looks", [&] { was_seen = !ThreadEventsController::instance().snapshot().abandoned().empty(); }},
            {"sets", [&] { set_event(first); }}});
  pause();
  require(was_stopped || (reports == 0 && !was_seen), "what is shown as abandoned was abandoned");
}
TG_FINDS(AbandonExploration, only_calls_that_were_abandoned_are_shown, abandon_is_shown_too_early, 2000)

// The only permit is held by a call that is abandoned and goes on, and a caller waits for it or comes later.
TG_EXPLORATION(AbandonExploration, waiting_for_abandoned_calls_is_reported) {
  hold_clock();
  int reports = 0;
  const Reports counted([&](std::string_view) { ++reports; });
  set_max_abandonable_calls(1);
  Signal may_end;
  bool has_called = false;
  const Linked first("first");
  const Linked second("second");
  together({{"calls",
             [&] {
               const Inside inside(*first);
               call_is_stopped([](Until until) { until.may_end.wait(); }, Until{may_end});
             }},
            {"waits",
             [&] {
               const Inside inside(*second);
               abandonable(TaskName("other"), [] {});
               has_called = true;
             }},
            {"sets", [&] { set_event(first); }},
            {"lets it end", [&] {
               pause();  // until each of the others has ended or waits
               require(reports == (has_called ? 0 : 1), "a wait for abandoned calls alone is reported");
               may_end.send();
             }}});
  pause();
}
TG_FINDS(AbandonExploration, waiting_for_abandoned_calls_is_reported, abandon_waiter_looks_too_early, 2000)

// A shutdown waits for the group of a call that an attached thread makes, and the thread leaves the call behind.
TG_EXPLORATION(AbandonExploration, a_shutdown_learns_what_was_left_behind) {
  hold_clock();
  Signal may_end;
  bool was_shut_down = false;
  ThreadGroup group("group");
  together({{"calls",
             [&] {
               const Attached attached(group);
               call_is_stopped(
                   [](Until until) {
                     ThreadGroup own("own", {.max_concurrent_threads = 1});
                     own.post([until] { until.may_end.wait(); });
                     own.join();
                   },
                   Until{may_end});
             }},
            {"shuts down",
             [&] {
               static_cast<void>(group.shut_down({.drain = Duration(), .stop = Duration::max()}));
               was_shut_down = true;
             }},
            {"lets it end", [&] {
               pause();  // until each of the others has ended or waits
               require(was_shut_down, "the shutdown does not wait for what was left behind");
               may_end.send();
             }}});
  pause();
}
TG_FINDS(AbandonExploration, a_shutdown_learns_what_was_left_behind, abandon_wakes_no_one, 2000)

TG_WEAK_EXPLORATION(AbandonExploration, the_owner_sees_what_the_call_has_done) {
  hold_clock();
  struct Parts {
    sim::Plain<int>& argument;
    sim::Plain<int>& result;
  };
  sim::Plain<int> argument{0};
  sim::Plain<int> result{0};
  const Linked node("node");
  const Inside inside(*node);
  argument.write(3);
  abandonable(
      TaskName("call"), [](Parts parts) { parts.result.write(parts.argument.read() + 4); },
      Parts{argument, result});
  require(result.read() == 7, "the result is complete");
}
TG_FINDS(AbandonExploration, the_owner_sees_what_the_call_has_done, abandon_thread_publishes_nothing, 2000)
TG_FINDS(AbandonExploration, the_owner_sees_what_the_call_has_done, abandon_caller_sees_nothing, 2000)

}  // namespace
}  // namespace abandon_exploration
}  // namespace tg::test
