// SPDX-License-Identifier: Apache-2.0
// Registering, and meeting a setter.
#include "tree/call_registration.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "base/planted.hpp"
#include "base/report.hpp"
#include "runtime/fork.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/blocked_signals.hpp"
#include "tree/forest.hpp"

namespace tg::inline v0::detail {

constinit Atomic<std::uint32_t> CallRegistration::registered_{0};
constinit Atomic<CallRegistration*> CallRegistration::all_{nullptr};

namespace {
[[gnu::constructor(runtime::at_load::kLeaves)]] void register_calls() {
  runtime::at_fork(nullptr, nullptr, [] { CallRegistration::forget_all(); });
}
}  // namespace

// While it lives, a handler of the program that makes a call leaves the registration alone.
class CallRegistration::Change {
 public:
  explicit Change(CallRegistration& of) noexcept : of_(of), outer_(of.is_changing_) {
    of.is_changing_ = true;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~Change() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    of_.is_changing_ = outer_;
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

 private:
  CallRegistration& of_;
  const bool outer_;
};

// A handler of the program may interrupt this anywhere; its own calls are plain ones then.
CallRegistration* CallRegistration::make_for(runtime::Flow& flow) {
  if (flow.is_registering_calls || runtime::is_in_vfork_child()) return nullptr;
  runtime::StopSignal::install();
  flow.end_calls = &end_with_thread;
  flow.is_registering_calls = true;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // A handler that ran before the flag was set may have made it.
  if (flow.call_registration == nullptr) make_once(flow);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  flow.is_registering_calls = false;
  return flow.call_registration;
}

void CallRegistration::make_once(runtime::Flow& flow) {
#if defined(TG_SIMULATION)
  auto* const made = new CallRegistration(flow);
#else
  static_assert(sizeof(CallRegistration) <= sizeof flow.call_memory &&
                alignof(CallRegistration) <= alignof(void*));
  auto* const made = ::new (static_cast<void*>(flow.call_memory)) CallRegistration(flow);
#endif
  flow.calls = &made->calls_;
  made->next_ = all_.load(std::memory_order_relaxed);
  while (!all_.compare_exchange_weak(made->next_, made)) {
  }
  flow.call_registration = made;
}

// A handler may have left `make_once`, or a change, by `siglongjmp`.
bool CallRegistration::end_with_thread(runtime::Flow& flow) noexcept {
  if (flow.is_registering_calls) {
    // The next thread of the flow makes it again, unless it is in the list.
    CallRegistration* listed = all_.load(std::memory_order_acquire);
    while (listed != nullptr && &listed->flow_ != &flow) listed = listed->next_;
    flow.call_registration = listed;
    flow.is_registering_calls = false;
  }
  CallRegistration* const one = flow.call_registration;
  if (one == nullptr) return true;
  if (one->is_changing_) return false;
  one->end();
  return true;
}

bool CallRegistration::move_to(Node& node) noexcept {
  if (runtime::is_in_vfork_child()) return false;
  const Change change(*this);
  end();
  node.add_reference();
  {
    MutexLock lock(mutex_);
    node_ = &node;
    is_reported_ = false;
  }
  looked_.store(false, std::memory_order_relaxed);
  calls_.begin();
  link_.emplace(*this, node.event().word());
  registered_.fetch_add(1, std::memory_order_seq_cst);  // T10: before the look at the event
  if (!TG_PLANTED(call_does_not_watch)) node.event().watch();
  node.event().waiters().link(*link_);
  return true;
}

void CallRegistration::end() noexcept {
  const Change change(*this);  // before the look: a handler that comes between would end it, too
  if (node_ == nullptr) return;
  if (!node_->event().waiters().unlink(*link_)) wait_for_setter();
  registered_.fetch_sub(1, std::memory_order_relaxed);
  Node* node = nullptr;
  {
    MutexLock lock(mutex_);
    node = std::exchange(node_, nullptr);
  }
  node->release();
}

void CallRegistration::end_if_covered_by(const Node& node) noexcept {
  // A handler has left a change by `siglongjmp`. The link may be in a queue of the node, which stays.
  if (is_changing_) return;
  const Change change(*this);
  if (node_ == &node) end();
}

// Runs on the setter's flow. The signal is sent last: the thread that it wakes may preempt the setter, and would then
// have to wait for `looked_`. Once a signal is announced, the flow does not leave `receive` until it has come.
void CallRegistration::stop(WaitNode& raw) noexcept {
  auto& link = static_cast<Link&>(raw);
  CallRegistration& self = link.owner;
  const bool is_in_call = self.calls_.is_in(link.word);
  if (is_in_call) {
    self.stopped_at_.store(runtime::coarse_now().nanos(), std::memory_order_relaxed);
    self.calls_.announce();
  }
  // T11: from here on the flow may destroy the link. The flow itself stays.
  self.looked_.store(true, std::memory_order_release);
  self.flow_.unpark();
  if (!is_in_call) return;
  self.calls_.send();
  BlockedSignals::instance().note_sent();
}

// --- Threads that block the signal ---

TimePoint CallRegistration::report_blocked(TimePoint now) noexcept {
  TimePoint next = TimePoint::never();
  for (CallRegistration* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_)
    next = std::min(next, one->report_if_blocked(now));
  return next;
}

// What a flow that checks finds in a registration.
struct CallRegistration::Due {
  Node* node = nullptr;  // to be reported now; with a reference
  TimePoint again = TimePoint::never();
};

CallRegistration::Due CallRegistration::begin_report_locked(TimePoint now) noexcept {
  if (node_ == nullptr || is_reported_ || !calls_.is_pending_in(node_->event().word())) return {};
  const TimePoint due = TimePoint::from_nanos(stopped_at_.load(std::memory_order_relaxed)) + kReportAfter;
  if (now < due) return {nullptr, due};
  is_reported_ = true;  // or it is slow; the mask of a thread in a call does not change
  if (!TG_PLANTED(call_check_holds_no_reference)) node_->add_reference();  // T12
  return {node_, TimePoint::never()};
}

// The flow may leave the call, and end the registration, at any moment.
TimePoint CallRegistration::report_if_blocked(TimePoint now) noexcept {
  // A flow that has the lock is in no call. It may have it forever, if a handler of the program has left by `siglongjmp`.
  if (!mutex_.try_lock()) return TimePoint::never();
  const auto [node, again] = begin_report_locked(now);
  mutex_.unlock();
  if (node == nullptr) return again;
  try {
    // A late check may see the thread in its next call, so the answer of the system comes last.
    const std::string call = call_name_.load(std::memory_order_relaxed);
    const std::string path = Forest::instance().path(*node);
    if (const std::string thread = calls_.thread_that_blocks_it(); !thread.empty()) {
      const std::string signal = std::to_string(runtime::StopSignal::number());
      report_line({"the stop of '", path, "' does not reach thread ", thread, " in its call of ", call,
                   ", because the thread blocks signal ", signal,
                   "; leave this signal, which tg::posix needs, out of the masks of threads that run tasks"});
    }
  } catch (const std::exception&) {  // no memory for a report
  }
  node->release();
  return TimePoint::never();
}

// --- The flow meets the setter ---

void CallRegistration::wait_until_looked() noexcept {
  if (looked_.load(std::memory_order_acquire)) return;
  while (!looked_.load(std::memory_order_acquire)) flow_.park_until(TimePoint::never());
  // In a handler of the program, some of the permits were for the wait that it has interrupted.
  flow_.unpark();
}

void CallRegistration::wait_for_setter() noexcept {
  if (!TG_PLANTED(call_does_not_wait_for_setter)) wait_until_looked();
  if (!TG_PLANTED(call_leaves_its_signal_behind)) calls_.receive();
}

long CallRegistration::end_of_stopped(long result, const void* outer) noexcept {
  // The signal is the parent's, which sleeps until the child ends: it arrives then.
  if (runtime::is_in_vfork_child()) return result;
  if (outer == nullptr) {
    end();
  } else if (node_ != nullptr) {
    // The interrupted call needs the same signal: it is sent again, and arrives when the program's handler returns.
    wait_until_looked();
    calls_.pass_on();
  }
  return result == -EINTR ? -ECANCELED : result;
}

void CallRegistration::forget_all() noexcept {
  registered_.store(0, std::memory_order_relaxed);
#if defined(TG_SIMULATION)
  // Each schedule makes them again.
  CallRegistration* one = all_.exchange(nullptr, std::memory_order_relaxed);
  while (one != nullptr) {
    one->flow_.call_registration = nullptr;
    one->flow_.calls = nullptr;
    one->flow_.end_calls = nullptr;
    delete std::exchange(one, one->next_);
  }
#else
  for (CallRegistration* one = all_.load(std::memory_order_relaxed); one != nullptr; one = one->next_) {
    std::construct_at(&one->mutex_);  // a flow of the parent may hold it
    one->node_ = nullptr;
    one->link_.reset();
    one->calls_.reset();
  }
#endif
}

}  // namespace tg::inline v0::detail
