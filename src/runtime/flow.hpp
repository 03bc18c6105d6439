// SPDX-License-Identifier: Apache-2.0
// A flow: one line of execution that can be parked and unparked. It is an OS thread, or a context of an engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>

#include "runtime/engine.hpp"

namespace tg::inline v0::detail {
class CallRegistration;
class Event;
struct FreshLink;
class Scope;
struct TaskContext;
struct ThreadRoot;
class WaitNote;
}  // namespace tg::inline v0::detail

namespace tg::inline v0::runtime {

class BlockCache;
class CallState;
class Gate;
class WaitWord;

/// One line of execution.
///
///     Flow& me = Flow::current();
///     publish(&me);
///     while (!done) me.park_until(deadline);      // the other side: done = true; flow->unpark();
///
/// Guarantees: `unpark` leaves a permit, so an unpark that comes before the park is not lost; several leave
/// one. `park_until` may return early: its caller checks what it waits for in a loop. `unpark` makes a system
/// call only if the flow is parked.
/// Thread safety: `unpark` from any thread; the rest only by the flow itself.
/// Memory ordering: what comes before an `unpark` happens before the return of the `park_until` that takes
/// its permit.
/// Lifetime: the memory of a flow is never given back, only reused for another flow. So a late `unpark` is
/// harmless: it only makes the next owner's park return early.
class Flow {
 public:
  /// The calling flow. A thread that the library did not start becomes a flow at its first call.
  static Flow& current() {
    Flow* flow = current_;
    return flow != nullptr ? *flow : adopt();
  }
  /// The calling flow, or null on a thread that has not become one yet: it is in no task.
  [[gnu::always_inline]] static Flow* current_if_any() noexcept { return current_; }

  /// The flow for a thread that is about to be made, so that a running thread always has one. Either the
  /// thread becomes it, or it is given back. `engine` will run it; null: the system.
  TG_EXPORT static Flow& reserve(Engine* engine = Engine::of_caller());
  TG_EXPORT static void become(Flow& reserved) noexcept;
  static void give_back(Flow& reserved) noexcept;
  /// Ends the calling flow, if there is one, as the end of its thread would: for a flow of an engine.
  TG_EXPORT static void end_in_engine() noexcept;
#if defined(TG_SIMULATION)
  static void for_each(void (*visit)(Flow&)) noexcept;
#endif

  /// The engine that runs the flow; null for a thread of the operating system.
  Engine* engine() const noexcept { return engine_; }

  TG_EXPORT void park_until(TimePoint deadline) noexcept;
  /// The same for a wait that may be short. If the flow's last such wait was short, and its waker was not on
  /// the same processor, the flow spins before it parks, for about as long as parking and waking take. That
  /// costs at most twice as much as the better choice: A. R. Karlin and others, "Empirical studies of
  /// competitive spinning" (1991).
  /// With a gate that the flow has approached, the opening of the gate ends the wait as a permit does, but takes
  /// none. Requires then: `can_sleep_on_two_words`.
  void spin_or_park_until(TimePoint deadline, Gate* gate = nullptr) noexcept;
  TG_EXPORT void unpark() noexcept;
  /// For a flow that sleeps in the system's poll (`runtime/poll.hpp`): a flow that unparks it writes to this
  /// descriptor, which stays with the flow. Throws `std::system_error` if the system has no more.
  int wake_descriptor();
  /// False if it need not sleep: there is a permit.
  bool begin_polling() noexcept;
  /// Takes the permit, if there is one.
  void end_polling() noexcept;
  /// The same for a caller that holds a lock: an engine continues no other flow here.
  void unpark_under_lock() noexcept;
  /// The same for a signal handler: it calls nothing that is not safe there. Not for a flow of an engine.
  void unpark_in_handler() noexcept;
  /// Whether `park_until` would return at once.
  bool has_permit() const noexcept { return state_.load(std::memory_order_acquire) == kPermit; }
  /// Whether the flow that last woke this one ran on the processor on which this one runs now. Then that flow
  /// is likely to wait for this processor, and spinning delays it; often it is the flow that is waited for.
  bool waker_was_here() const noexcept { return waker_was_here_; }
  /// Yields the processor once, so that the waker can run; the flow does not go to sleep. If that takes more than
  /// 0.5 ms, because another thread computes there, the next 1,000 calls do nothing. Requires: `waker_was_here()`.
  void let_waker_run() noexcept;
  /// Whether the flow has slept in the library since the last call.
  bool has_slept() noexcept { return std::exchange(has_slept_, false); }

  /// Wakes up to `most` flows that sleep; they check what they wait for, and go to sleep again. Walks through
  /// all flows of the process.
  static void wake_some(int most) noexcept;

  /// Whether at least half of the stack on which the flow runs is free, so that what is called from here on
  /// has no less than half of what it would have on a thread of its own. False on a stack that is not the
  /// thread's own, such as one of a coroutine library. Compares two numbers, except for the first call on a
  /// thread.
  bool half_of_stack_is_free() noexcept;

  /// Whether this is the flow in which `main` runs (after a fork: the only flow of the child).
  bool is_main() const noexcept { return is_main_; }
  /// Sets the name that the OS shows: its first 15 characters. A name already set costs no system call.
  void set_os_name(const std::string& name) noexcept;
  /// The name and number by which the OS knows the calling flow: "worker (thread 4711)".
  TG_EXPORT std::string os_label() const;

  // What other layers hang on the flow. Only the flow itself touches them; but the tree guards `root` with
  // its lock.
  tg::detail::TaskContext* task = nullptr;          // the task that runs now
  tg::detail::Event* event = nullptr;               // the event that stops it here: of the innermost node
  tg::detail::Scope* scope = nullptr;               // the innermost scope in the task, or on the thread
  const tg::detail::WaitNote* wait_note = nullptr;  // what it waits for
  WaitWord* wait_word = nullptr;                    // the same for other flows; of the task, null outside one
  CallState* calls = nullptr;  // its system calls that can be stopped; stays with the flow
  tg::detail::CallRegistration* call_registration = nullptr;  // the tree's, as above
  volatile bool is_registering_calls = false;                 // read by handlers on the same thread
#if !defined(TG_SIMULATION)
  // For `call_registration`, which may be made in a signal handler: no memory can be allocated there.
  alignas(void*) std::byte call_memory[160] = {};
#endif
  tg::detail::ThreadRoot* root = nullptr;       // the tree that this thread roots
  tg::detail::FreshLink* fresh_link = nullptr;  // the tree's; stays with the flow, as its blocks do
  std::uint64_t shared_queues = 0;          // a bit for each pool into whose shared lists it may have added
  std::uint64_t last_helped = 0;            // the number of the group whose tasks it ran last as it waited
  void (*on_thread_exit)(Flow&) = nullptr;  // called once as the thread ends
  bool (*end_calls)(Flow&) = nullptr;       // the same, for `call_registration`; false: do not reuse it
  void (*before_idle)(Flow&) = nullptr;     // set by a task; called once when its worker finds no further one

 private:
  friend class BlockCache;
  friend class Context;
  friend class FlowPool;
  friend class Asleep;
  friend struct FlowProbe;  // of the tests
  Flow() = default;
  TG_EXPORT static Flow& adopt();
  bool park(TimePoint deadline, Gate* gate) noexcept;
  void unpark(bool may_switch) noexcept;
  void wake_from_poll() noexcept;
  static void wake_some_of(Engine& engine, int most) noexcept;

  static constexpr std::uint32_t kNoPermit = 0;
  static constexpr std::uint32_t kPermit = 1;
  static constexpr std::uint32_t kParked = 2;
  static constexpr std::uint32_t kPolling = 3;

  // The handler of the stop signal reads it on any thread, and may not allocate.
  [[gnu::tls_model("initial-exec")]] TG_EXPORT static constinit thread_local Flow* current_;

  tg::detail::Atomic<std::uint32_t> state_{kNoPermit};  // atomic: written by any flow that unparks it
  // The word on which it sleeps. Atomic: read by a flow that wakes it.
  tg::detail::Atomic<tg::detail::Atomic<std::uint32_t>*> sleeps_on_{nullptr};
  tg::detail::Atomic<int> wake_descriptor_{-1};  // atomic: read by any flow that unparks it
  Engine* engine_ = nullptr;                     // constant while the flow is in use
  BlockCache* blocks_ = nullptr;                 // stays with the flow when another thread takes it over
  std::uintptr_t roomy_low_ = 0;                 // where half of the stack is free
  std::uintptr_t roomy_high_ = 0;                // zero: not looked up yet
  bool is_main_ = false;
  tg::detail::Atomic<int> wakers_processor_{-1};  // atomic: written by the flow that wakes it
  bool waker_was_here_ = false;
  std::uint16_t calls_to_skip_ = 0;  // of `let_waker_run`
  bool last_wait_was_short_ = false;
  bool has_slept_ = false;
  char os_name_[16] = {};
  Flow* next_free_ = nullptr;  // guarded by the pool's lock
  Flow* next_ = nullptr;       // of all flows; likewise
};

}  // namespace tg::inline v0::runtime
