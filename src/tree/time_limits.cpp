// SPDX-License-Identifier: Apache-2.0
// The flow that waits for the earliest time limit.
#include "tree/time_limits.hpp"

#include <new>
#include <string>
#include <utility>

#include <threadgroup/detail/shared_reason.hpp>

#include "base/planted.hpp"
#include "event/wait.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"
#include "tree/forest.hpp"

namespace tg::inline v0::detail {

namespace {
// A program may make one short-lived limit after the other. The flow does not end between two of them: to
// start it again would take longer than most of them last.
constexpr Duration kLingersFor = Duration::from_nanos(100'000'000);
}  // namespace

// A limit that has passed, with references to what it needs: its object may be destroyed at any moment.
struct TimeLimits::Due {
  Node* node = nullptr;
  Duration limit;
  SharedReason* own_reason = nullptr;
  const SharedReason* given_reason = nullptr;
};

constinit TimeLimits TimeLimits::only_;

namespace {
[[gnu::constructor(runtime::at_load::kGroups)]] void hold_time_limits() { TimeLimits::hold_across_forks(); }
}  // namespace

void TimeLimits::hold_across_forks() {
  runtime::hold_across_forks([]() -> Mutex& { return only_.mutex_; }, [] { only_.forget_all(); });
  using runtime::Engine;
  Engine::register_part(Engine::Part::time_limits, {[]() -> void* { return new TimeLimits; },
                                                    [](void* part) noexcept {
                                                      auto& limits = *static_cast<TimeLimits*>(part);
                                                      if (limits.was_used()) limits.forget_all();
                                                    }});
}

// Saves work: an engine asks before each of thousands of schedules.
bool TimeLimits::was_used() noexcept {
  MutexLock lock(mutex_);
  return was_used_;
}

// In a forked child, where the groups and the flow are the parent's; and before an engine begins again.
void TimeLimits::forget_all() noexcept TG_NO_THREAD_SAFETY_ANALYSIS {  // no other flow is there
  ::new (&wheel_) TimerWheel;
  state_ = State::absent;
  was_used_ = false;
  server_.store(nullptr, std::memory_order_relaxed);
  // What waits in there is on the stack of a thread that is gone, and the next thread gets that stack.
  ::new (&woken_) WaitQueue;
}

// --- One limit ---

TimeLimit::TimeLimit(Node& node) noexcept : node_(node), fork_generation_(runtime::fork_generation()) {}

TimeLimit::TimeLimit(Node& node, Duration limit) : TimeLimit(node) {
  // NOLINTNEXTLINE(bugprone-throw-keyword-missing): a null pointer is passed, nothing is thrown
  own_reason_ = new SharedReason(ReasonKind::deadline);
  begin(limit);  // if it throws, the destructor runs, because the other constructor has returned
}

TimeLimit::~TimeLimit() {
  if (fork_generation_ != runtime::fork_generation()) return;  // it was never in the wheel of this process
  end();
  if (own_reason_ != nullptr) own_reason_->release();
  if (given_reason_ != nullptr) given_reason_->release();
}

void TimeLimit::begin(Duration limit) {
  limit_ = limit;
  TimeLimits::instance().add(*this);
}

void TimeLimit::begin(Duration limit, const SharedReason& reason) {
  reason.add_references(1);
  given_reason_ = &reason;
  begin(limit);
}

void TimeLimit::end() noexcept {
  if (fork_generation_ == runtime::fork_generation()) TimeLimits::instance().end(*this);
}

// --- All of them ---

void TimeLimits::add(TimeLimit& limit) {
  const TimePoint at = runtime::after(limit.limit_);
  if (at.is_never()) return;
  bool start = false;
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (limit.has_ended_) return;
    wheel_.add(limit, at);
    was_used_ = true;
    start = state_ == State::absent;
    wake = (state_ == State::asleep || state_ == State::lingering) && at < sleeps_until_ &&
           !TG_PLANTED(limits_adder_does_not_wake);
    if (wake) state_ = State::awake;
  }
  if (wake) woken_.release_all();
  if (!start) return;
  try {
    runtime::ThreadCache::instance().start({&TimeLimits::serve_main, this});
  } catch (...) {
    end(limit);
    throw;
  }
}

void TimeLimits::end(TimeLimit& limit) noexcept {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    limit.has_ended_ = true;
    if (!limit.is_linked()) return;
    wheel_.remove(limit);
    // If this was the last limit, the flow must not sleep until its time, except if that comes soon: a program that
    // makes one short limit after the other would wake it each time.
    wake = wheel_.empty() && state_ == State::asleep && sleeps_until_ - runtime::now() > kLingersFor;
    if (wake) state_ = State::awake;
  }
  if (wake) woken_.release_all();
}

// --- The flow ---

void TimeLimits::serve_main(void* limits) noexcept { static_cast<TimeLimits*>(limits)->serve(); }

TimeLimits::Due TimeLimits::take_due_locked(TimePoint now) noexcept {
  TimerEntry* const entry = wheel_.pop_due(now);
  if (entry == nullptr) return {};
  TimeLimit& limit = static_cast<TimeLimit&>(*entry);
  if (!TG_PLANTED(limits_flow_holds_no_reference)) limit.node_.add_reference();
  return Due{&limit.node_, limit.limit_, std::exchange(limit.own_reason_, nullptr),
             std::exchange(limit.given_reason_, nullptr)};
}

// Decides until when the flow sleeps; false if it ends.
bool TimeLimits::begin_sleep_locked(TimePoint now) noexcept {
  if (!wheel_.empty()) {
    state_ = State::asleep;
    sleeps_until_ = wheel_.next();
    return true;
  }
  if (state_ == State::lingering && now >= sleeps_until_) {
    state_ = State::absent;
    return false;
  }
  if (state_ != State::lingering) sleeps_until_ = now + kLingersFor;
  state_ = State::lingering;
  return true;
}

void TimeLimits::set_event(const Due& due) noexcept {
  if (due.given_reason != nullptr) {
    Forest::instance().set_event(*due.node, *due.given_reason);
    return due.given_reason->release();
  }
  try {
    due.own_reason->before_it_is_shared().message = to_string(due.limit);
  } catch (const std::bad_alloc&) {  // the reason says less, and the group stops all the same
  }
  Forest::instance().set_event_as_prepared(*due.node, *due.own_reason);
  due.own_reason->release();
}

void TimeLimits::serve() noexcept {
  {
    MutexLock lock(mutex_);
    // Set only here, not in `add`: a second limit would then rely on a flow that may fail to start.
    if (state_ != State::absent) return;
    state_ = State::awake;
  }
  runtime::Flow& me = runtime::Flow::current();
  me.set_os_name("tg-time-limits");
  server_.store(&me, std::memory_order_relaxed);
  for (;;) {
    Due due;
    TimePoint sleeps_until;
    {
      MutexLock lock(mutex_);
      const TimePoint now = runtime::now();
      due = take_due_locked(now);
      if (due.node == nullptr) {
        if (!begin_sleep_locked(now)) return server_.store(nullptr, std::memory_order_relaxed);
        sleeps_until = sleeps_until_;
      }
    }
    if (due.node == nullptr) {
      const auto woken = [this] {
        MutexLock lock(mutex_);
        return state_ == State::awake;
      };
      static_cast<void>(wait(woken_, woken, {}, sleeps_until));
      continue;
    }
    set_event(due);
    due.node->release();
  }
}

}  // namespace tg::inline v0::detail
