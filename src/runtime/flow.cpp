// SPDX-License-Identifier: Apache-2.0
// Parking on a futex, and the pool of flows that are reused.
#include "runtime/flow.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <new>
#include <system_error>
#include <utility>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/mutex.hpp>

#include "base/planted.hpp"
#include "base/sanitizers.hpp"
#include "base/spin.hpp"
#include "runtime/event_descriptor.hpp"
#include "runtime/fork.hpp"
#include "runtime/futex.hpp"
#include "runtime/gate.hpp"
#include "runtime/module.hpp"
#include "runtime/own_calls.hpp"
#include "runtime/sleep.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/this_thread.hpp"

namespace tg::inline v0::runtime {

namespace {

// About what it takes to be parked and woken, and how often a spinning flow looks. If it looked all the time,
// a flow that collects results would keep pace with the one that makes them, and wait for each.
constexpr Duration kShortWait = Duration::from_nanos(30'000);
constexpr int kTriesToWake = 100;
constexpr Duration kBetweenLooks = Duration::from_nanos(300);

// A yield that takes longer has cost a time slice of another thread.
constexpr Duration kLongYield = Duration::from_nanos(500'000);
// So many waits then park at once. Together they cost more than a slice, so one thread that computes on the
// processor at most doubles what a wait costs.
constexpr std::uint16_t kCallsToSkip = 1'000;

}  // namespace

/// The flows of threads that have ended, for the threads to come. Flows are not given back to the heap: see
/// `Flow`.
class FlowPool {
 public:
  static FlowPool& instance() noexcept { return only_; }
  static void begin() {
    tg::detail::warn_of_unseen_locks();
    keep_module_mapped();  // there are threads and thread-local keys from here on
    only_.has_key_ = ::pthread_key_create(&only_.key_, &FlowPool::thread_ends) == 0;
    hold_across_forks([]() -> tg::detail::Mutex& { return only_.mutex_; }, [] { begin_child(); });
  }

  Flow* take(bool or_spare, Engine* engine) {
    {
      tg::detail::MutexLock lock(mutex_);
      Flow*& free = free_locked(engine);
      if (free != nullptr) {
        Flow* const flow = std::exchange(free, free->next_free_);
        if (engine != nullptr) {
          // The field of a system thread stays null and is not written: a late unpark may read it now.
          flow->engine_ = engine;
          // Which schedule had the flow before must not matter.
          flow->state_.store(Flow::kNoPermit, std::memory_order_relaxed);
          flow->wakers_processor_.store(-1, std::memory_order_relaxed);
          flow->last_helped = 0;  // each schedule has a group with that number
        }
        return flow;
      }
    }
    Flow* flow = new (std::nothrow) Flow;
    tg::detail::MutexLock lock(mutex_);
    if (flow == nullptr) {
      if (!or_spare || spares_used_ == std::size(spares_)) throw std::bad_alloc();
      flow = &spares_[spares_used_++];
    }
    flow->engine_ = engine;
    flow->next_ = all_;
    all_ = flow;
    return flow;
  }

  void wake_some(int most) noexcept {
    tg::detail::MutexLock lock(mutex_);
    for (Flow* flow = all_; flow != nullptr && most > 0; flow = flow->next_) {
      if (flow->engine_ != nullptr) continue;
      tg::detail::Atomic<std::uint32_t>* const word = flow->sleeps_on_.load(std::memory_order_seq_cst);
      if (word == nullptr) continue;
      if (word == &flow->state_) {
        flow->unpark_under_lock();
      } else {
        // The word of others: it cannot be changed, and the flow may not have fallen asleep yet.
        for (int tries = 0; tries < kTriesToWake && flow->sleeps_on_.load(std::memory_order_relaxed) == word;
             ++tries) {
          if (futex_wake(*word, 1) != 0) break;
          if constexpr (kIsExplored) {
            tg::detail::spin_briefly([] { return false; });
          } else {
            ::sched_yield();
          }
        }
      }
      --most;
    }
  }

  void give_back(Flow* flow) noexcept {
    flow->task = nullptr;
    flow->event = nullptr;
    flow->scope = nullptr;
    flow->wait_note = nullptr;
    flow->wait_word = nullptr;
    flow->root = nullptr;
    flow->on_thread_exit = nullptr;
    flow->before_idle = nullptr;
    flow->shared_queues = 0;
    flow->last_wait_was_short_ = false;
    flow->waker_was_here_ = false;
    flow->calls_to_skip_ = 0;
    flow->has_slept_ = false;
    tg::detail::MutexLock lock(mutex_);
    Flow*& free = free_locked(flow->engine_);
    flow->next_free_ = std::exchange(free, flow);
  }

  // Spins until the flow has a permit or the gate is open, unless spinning flows would leave no processor to those they wait for.
  void spin(const Flow& flow, const Gate* gate, TimePoint until) noexcept {
    if constexpr (kIsExplored) return tg::detail::spin_briefly([&flow] { return flow.has_permit(); });
    if (flow.engine_ != nullptr) return;  // while it spins, no other flow runs
    if (spinners_.fetch_add(1, std::memory_order_relaxed) < most_spinners()) {
      for (TimePoint time = now();
           time < until && !flow.has_permit() && !(gate != nullptr && gate->is_open());) {
        const TimePoint next_look = time + kBetweenLooks;
        while ((time = now()) < next_look) tg::detail::relax();
      }
    }
    spinners_.fetch_sub(1, std::memory_order_relaxed);
  }
  int most_spinners() noexcept {
    if constexpr (kIsExplored) return 1;  // on every machine
    int most = most_spinners_.load(std::memory_order_relaxed);
    if (most == kUnknown) most_spinners_.store(most = processors() - 1, std::memory_order_relaxed);
    return most;
  }

  static Flow* current_or_null() noexcept { return Flow::current_; }
  static void set_current(Flow* flow) noexcept { Flow::current_ = flow; }
  static void look_at_thread(Flow& flow) noexcept {
    const bool in_engine = flow.engine_ != nullptr || Engine::of_caller() != nullptr;
    flow.is_main_ =
        flow.engine_ != nullptr ? flow.engine_->number_of_flow() == 1 : !in_engine && on_main_thread();
    flow.roomy_low_ = flow.roomy_high_ = 0;
    if (in_engine) {
      flow.os_name_[0] = '\0';
    } else {
      read_os_name(flow.os_name_, sizeof flow.os_name_);
    }
  }

  // Gives the flow back when the calling thread ends, by a key of POSIX threads. The key's destructor runs
  // after those of the thread-local objects, some of which use the library. `std::exit` does not run it, so
  // exit handlers still know in whose task they were called.
  void take_back_at_the_end(Flow& flow) noexcept {
    // If this fails, the flow is lost when the thread ends: a few bytes.
    if (has_key_ && flow.engine_ == nullptr && Engine::of_caller() == nullptr)
      static_cast<void>(::pthread_setspecific(key_, &flow));
  }
#if defined(TG_SIMULATION)
  void for_each(void (*visit)(Flow&)) noexcept {
    tg::detail::MutexLock lock(mutex_);
    for (Flow* flow = all_; flow != nullptr; flow = flow->next_) visit(*flow);
  }
#endif
  static void thread_ends(void* raw) {
    auto* const flow = static_cast<Flow*>(raw);
    const bool can_be_reused = flow->end_calls == nullptr || flow->end_calls(*flow);
    if (flow->on_thread_exit != nullptr) flow->on_thread_exit(*flow);
    set_current(nullptr);
    if (can_be_reused) instance().give_back(flow);
  }

 private:
  constexpr FlowPool() = default;
  // What other layers keep with a flow differs: those of engines have their own list.
  Flow*& free_locked(const Engine* engine) noexcept TG_REQUIRES(mutex_) {
    return engine == nullptr ? free_ : free_of_engines_;
  }
  static void begin_child() noexcept TG_NO_THREAD_SAFETY_ANALYSIS {  // the lock is held
#if defined(TG_SIMULATION)
    // All flows of the previous schedule have ended. The order in which they ended must not matter.
    instance().free_ = nullptr;
    for (Flow* flow = instance().all_; flow != nullptr; flow = flow->next_) {
      flow->wakers_processor_.store(-1, std::memory_order_relaxed);
      if (flow != current_or_null()) flow->next_free_ = std::exchange(instance().free_, flow);
    }
#endif
    instance().spinners_ = 0;
    // The parent's descriptors: a flow of each process would take wake-ups of the other.
    for (Flow* one = instance().all_; one != nullptr; one = one->next_) {
      const int descriptor = one->wake_descriptor_.load(std::memory_order_relaxed);
      if (descriptor >= 0) ::close(descriptor);
      one->wake_descriptor_.store(-1, std::memory_order_relaxed);
    }
    Flow* const flow = current_or_null();
    for (Flow* other = instance().all_; other != nullptr; other = other->next_) {
      if (other == flow) continue;
      other->state_.store(Flow::kNoPermit, std::memory_order_relaxed);  // its thread is the parent's
      other->sleeps_on_.store(nullptr, std::memory_order_relaxed);
    }
    if (flow == nullptr) return;
    // The child has one thread, it is the main one, and it is in no task: whatever ran here belongs to the
    // parent's groups.
    flow->is_main_ = true;
    flow->task = nullptr;
    flow->event = nullptr;
    flow->scope = nullptr;
    flow->wait_word = nullptr;
    flow->root = nullptr;
  }

  static FlowPool only_;  // there from the start and never destroyed: threads end after static objects, too
  static constexpr int kUnknown = -1;

  // Constant once the library is loaded.
  pthread_key_t key_{};
  bool has_key_ = false;

  tg::detail::Atomic<int> most_spinners_{kUnknown};  // atomic: looked up by any thread that asks first
  tg::detail::Atomic<int> spinners_{0};              // atomic: each spinning flow counts itself

  tg::detail::Mutex mutex_;
  Flow* free_ TG_GUARDED_BY(mutex_) = nullptr;
  Flow* free_of_engines_ TG_GUARDED_BY(mutex_) = nullptr;
  Flow* all_ TG_GUARDED_BY(mutex_) = nullptr;
  // For foreign threads that need a flow while there is no memory, such as one that destroys a busy group.
  Flow spares_[4] TG_GUARDED_BY(mutex_);
  std::size_t spares_used_ TG_GUARDED_BY(mutex_) = 0;
};

constinit FlowPool FlowPool::only_;
constinit thread_local Flow* Flow::current_ = nullptr;

namespace {
[[gnu::constructor(at_load::kFlows)]] void begin_flows() { FlowPool::begin(); }
}  // namespace

Flow& Flow::reserve(Engine* engine) {
  return *FlowPool::instance().take(false, kIsExplored ? nullptr : engine);
}

void Flow::give_back(Flow& reserved) noexcept { FlowPool::instance().give_back(&reserved); }

void Flow::become(Flow& reserved) noexcept {
  FlowPool::look_at_thread(reserved);
  current_ = &reserved;
  FlowPool::instance().take_back_at_the_end(reserved);
}

Flow& Flow::adopt() {
  Flow& flow = *FlowPool::instance().take(true, nullptr);
  become(flow);
  return flow;
}

#if defined(TG_SIMULATION)
void Flow::for_each(void (*visit)(Flow&)) noexcept { FlowPool::instance().for_each(visit); }
#endif

void Flow::end_in_engine() noexcept {
  if (current_ != nullptr) FlowPool::thread_ends(current_);
}

void Flow::park_until(TimePoint deadline) noexcept { park(deadline, nullptr); }

// True if a permit ended it.
bool Flow::park(TimePoint deadline, Gate* gate) noexcept {
  std::uint32_t expected = kNoPermit;
  if (TG_PLANTED(flow_park_overwrites_permit)) expected = state_.load(std::memory_order_relaxed);
  const bool sleeps =
      state_.compare_exchange_strong(expected, kParked, std::memory_order_acquire, std::memory_order_acquire);
  if (sleeps && gate == nullptr) sleep_on({state_, kParked}, deadline);
  if (sleeps && gate != nullptr) {
    const SleepWord before_gate = gate->sleep_word();
    sleep_on({state_, kParked}, deadline, &before_gate);
  }
  // Either a permit was there, or one came, or the gate was opened, or time is up or we woke for nothing: in each
  // case the flow returns, and a permit, if there is one, is used up.
  const bool has_come =
      state_.exchange(kNoPermit, TG_ORDER(acquire, flow_park_sees_nothing, relaxed)) == kPermit;
  waker_was_here_ =
      sleeps && has_come && wakers_processor_.load(std::memory_order_relaxed) == this_processor();
  return has_come;
}

void Flow::spin_or_park_until(TimePoint deadline, Gate* gate) noexcept {
  FlowPool& pool = FlowPool::instance();
  const TimePoint begin = now();
  bool has_spun_needlessly = false;
  if (last_wait_was_short_ && !has_permit()) {
    pool.spin(*this, gate, std::min(begin + kShortWait, deadline));
    has_spun_needlessly = !has_permit();
  }
  const bool has_come = park(deadline, gate);
  // Twice, because a flow that was parked was also woken.
  last_wait_was_short_ = has_come && !has_spun_needlessly && !waker_was_here_ && pool.most_spinners() > 0 &&
                         now() < begin + kShortWait + kShortWait;
}

void Flow::let_waker_run() noexcept {
  if (calls_to_skip_ > 0) {
    --calls_to_skip_;
    return;
  }
  const TimePoint begin = now();
  ::sched_yield();
  if (now() - begin > kLongYield) calls_to_skip_ = kCallsToSkip;
}

bool Flow::half_of_stack_is_free() noexcept {
  if (roomy_high_ == 0) {
    const StackRange roomy = find_roomy_part_of_stack();
    roomy_low_ = roomy.low;
    roomy_high_ = roomy.high;
  }
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  return here >= roomy_low_ && here < roomy_high_;
}

void Flow::wake_some(int most) noexcept {
  if constexpr (!kIsExplored) {
    if (Engine* const engine = Engine::of_caller()) [[unlikely]]
      return wake_some_of(*engine, most);
  }
  FlowPool::instance().wake_some(most);
}

// In the engine's order: that of the pool depends on the schedules before.
void Flow::wake_some_of(Engine& engine, int most) noexcept {
  std::size_t number = 0;
  while (most > 0) {
    Flow* const flow = engine.sleeper_above(number);
    if (flow == nullptr) return;
    tg::detail::Atomic<std::uint32_t>* const word = flow->sleeps_on_.load(std::memory_order_relaxed);
    if (word == nullptr) continue;
    if (word == &flow->state_) flow->unpark_under_lock();
    else engine.wake(word, 1, false);
    --most;
  }
}

void Flow::unpark() noexcept { unpark(true); }
void Flow::unpark_under_lock() noexcept { unpark(false); }

void Flow::unpark(bool may_switch) noexcept {
  // Before the permit, because the flow looks at once.
  if (state_.load(std::memory_order_relaxed) == kParked)
    wakers_processor_.store(this_processor(), std::memory_order_relaxed);
  const std::uint32_t before =
      state_.exchange(kPermit, TG_ORDER(acq_rel, flow_unpark_publishes_nothing, relaxed));
  if (before == kParked && !TG_PLANTED(flow_unpark_wakes_no_one))
    wake_sleepers(engine_, state_, 1, may_switch);
  if (before == kPolling) [[unlikely]]
    wake_from_poll();
}

// If the flow has returned by itself, its next poll returns early.
void Flow::wake_from_poll() noexcept {
  const std::uint64_t one = 1;
  // Stored before `state_` said that it polls, which the caller has acquired.
  static_cast<void>(own::write(wake_descriptor_.load(std::memory_order_relaxed), &one, sizeof one));
}

int Flow::wake_descriptor() {
  int descriptor = wake_descriptor_.load(std::memory_order_relaxed);
  if (descriptor >= 0) return descriptor;
  descriptor = make_event_descriptor();
  if (descriptor < 0)
    throw std::system_error(errno, std::generic_category(), "tg: a descriptor to wake a thread from poll");
  wake_descriptor_.store(descriptor, std::memory_order_relaxed);
  return descriptor;
}

bool Flow::begin_polling() noexcept {
  std::uint32_t expected = kNoPermit;
  return state_.compare_exchange_strong(expected, kPolling, std::memory_order_seq_cst,
                                        std::memory_order_acquire);
}

void Flow::end_polling() noexcept { state_.exchange(kNoPermit, std::memory_order_acquire); }

void Flow::unpark_in_handler() noexcept {
  const std::uint32_t before = state_.exchange(kPermit, std::memory_order_acq_rel);
  if (before == kParked) futex_wake(state_, 1);
  if (before == kPolling) wake_from_poll();
}

void Flow::set_os_name(const std::string& name) noexcept {
  if (std::strncmp(os_name_, name.c_str(), sizeof os_name_ - 1) == 0) return;
  std::strncpy(os_name_, name.c_str(), sizeof os_name_ - 1);
  os_name_[sizeof os_name_ - 1] = '\0';
  write_os_name(os_name_);
}

std::string Flow::os_label() const {
  const std::string number = "thread " + os_number();
  return os_name_[0] != '\0' ? std::string(os_name_) + " (" + number + ")" : number;
}

}  // namespace tg::inline v0::runtime
