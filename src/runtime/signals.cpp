// SPDX-License-Identifier: Apache-2.0
// Handlers, and what they share with the flow that waits.
#include "runtime/signals.hpp"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include <threadgroup/detail/atomic.hpp>

#include "runtime/fork.hpp"

namespace tg::inline v0::runtime {

using tg::detail::Atomic;

namespace {

constexpr int kSignals = 65;  // the numbers of Linux, from 1 on
constexpr int kLast = 3;      // this one ends the process
constexpr int kNone = -1;

// What the handlers of one object know. Never destroyed: see the class.
struct Slot {
  // Atomic: written by handlers on any thread.
  Atomic<int> count{0};
  Atomic<int> first{0};
  // Atomic: written by the flow that waits, read by handlers.
  Atomic<Flow*> receiver{nullptr};
  // Atomic: written by the owner. The fork generation in which the handlers do more than pass signals on, or -1.
  Atomic<std::int64_t> active_in{kNone};
  // Constant from the time on when the handler is installed.
  std::array<struct sigaction, kSignals> replaced{};
};

constexpr std::size_t kSlots = 8;
constinit std::array<Slot, kSlots> slots{};
// Atomic: claimed by any thread. The slots that were used and left handlers behind, or are in use: the fork generation plus
// one, or -1 for one that is taken permanently.
constinit std::array<Atomic<std::int64_t>, kSlots> used_in{};
// Atomic: claimed by any thread. The fork generation of the process in which there is an object.
constinit Atomic<std::int64_t> owner_generation{kNone};

bool is_function(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 ||
         (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
}

// Ends the process, unless the signal is one that does no harm.
void take_default_action(int number) noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(number, &action, nullptr);
  ::raise(number);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  ::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
}

// Only calls what POSIX permits in a handler.
void handle(Slot& slot, int number, siginfo_t* info, void* context) noexcept {
  const int error = errno;
  const bool active = slot.active_in.load(std::memory_order_acquire) == fork_generation();
  if (active) {
    int none = 0;
    slot.first.compare_exchange_strong(none, number, std::memory_order_relaxed);
    if (slot.count.fetch_add(1, std::memory_order_seq_cst) + 1 >= kLast) take_default_action(number);
    if (Flow* const flow = slot.receiver.load(std::memory_order_seq_cst)) flow->unpark_in_handler();
  }
  const struct sigaction& replaced = slot.replaced[static_cast<std::size_t>(number)];
  if ((replaced.sa_flags & SA_SIGINFO) != 0) {
    replaced.sa_sigaction(number, info, context);
  } else if (is_function(replaced)) {
    replaced.sa_handler(number);
  } else if (!active && replaced.sa_handler == SIG_DFL) {
    take_default_action(number);
  }
  errno = error;
}

template <std::size_t kSlot>
void handler(int number, siginfo_t* info, void* context) noexcept {
  handle(slots[kSlot], number, info, context);
}

using Handler = void (*)(int, siginfo_t*, void*);
template <std::size_t... kNumbers>
constexpr std::array<Handler, kSlots> all_handlers(std::index_sequence<kNumbers...>) {
  return {&handler<kNumbers>...};
}
constexpr std::array<Handler, kSlots> handlers = all_handlers(std::make_index_sequence<kSlots>());

bool is_handler_of(const struct sigaction& action, std::size_t slot) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == handlers[slot];
}

int claim_slot() {
  const std::int64_t mine = std::int64_t{fork_generation()} + 1;
  for (std::size_t i = 0; i < kSlots; ++i) {
    std::int64_t free = 0;
    if (used_in[i].compare_exchange_strong(free, mine)) return static_cast<int>(i);
  }
  throw std::logic_error(
      "SignalShutdown: other handlers have replaced those of eight earlier objects and may call them; make "
      "one object for the whole program");
}

// The handler of a signal that is named twice would replace itself, and then call itself.
std::vector<int> each_once(std::vector<int> signals) {
  std::sort(signals.begin(), signals.end());
  signals.erase(std::unique(signals.begin(), signals.end()), signals.end());
  return signals;
}

sigset_t set_of(const std::vector<int>& signals) noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : signals) sigaddset(&set, number);
  return set;
}

}  // namespace

SignalCatch::SignalCatch(std::vector<int> signals) : signals_(each_once(std::move(signals))) {
  for (const int number : signals_) {
    if (number <= 0 || number >= kSignals || number == SIGKILL || number == SIGSTOP)
      throw std::invalid_argument("SignalShutdown: signal " + std::to_string(number) + " cannot be caught");
  }
  const std::int64_t generation = fork_generation();
  if (owner_generation.exchange(generation) == generation) {
    throw std::logic_error("SignalShutdown: there is one already; a program has one at a time");
  }
  try {
    slot_ = claim_slot();
  } catch (...) {
    owner_generation.store(kNone);
    throw;
  }
  Slot& slot = slots[static_cast<std::size_t>(slot_)];
  slot.count.store(0);
  slot.first.store(0);
  slot.active_in.store(generation);
  for (const int number : signals_) {
    struct sigaction& replaced = slot.replaced[static_cast<std::size_t>(number)];
    ::sigaction(number, nullptr, &replaced);
    // In a forked child it may be that of the parent's object, which only passes the signal on.
    for (std::size_t i = 0; i < kSlots; ++i) {
      if (is_handler_of(replaced, i) && static_cast<int>(i) != slot_)
        replaced = slots[i].replaced[static_cast<std::size_t>(number)];
    }
    struct sigaction action {};
    action.sa_sigaction = handlers[static_cast<std::size_t>(slot_)];
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    // A program whose handler interrupts system calls relies on it.
    if (!is_function(replaced) || (replaced.sa_flags & SA_RESTART) != 0) action.sa_flags |= SA_RESTART;
    action.sa_mask = set_of(signals_);
    if (is_function(replaced)) sigorset(&action.sa_mask, &action.sa_mask, &replaced.sa_mask);
    ::sigaction(number, &action, nullptr);
  }
}

SignalCatch::~SignalCatch() {
  Slot& slot = slots[static_cast<std::size_t>(slot_)];
  if (slot.active_in.load() != fork_generation()) return;  // a forked child: the handlers pass signals on
  bool all_restored = true;
  for (const int number : signals_) {
    struct sigaction now {};
    ::sigaction(number, nullptr, &now);
    if (is_handler_of(now, static_cast<std::size_t>(slot_)))
      ::sigaction(number, &slot.replaced[static_cast<std::size_t>(number)], nullptr);
    else all_restored = false;
  }
  slot.active_in.store(kNone);
  owner_generation.store(kNone);
  const int first = slot.first.load();
  // From here on another object may have the slot, unless its handlers may still be called.
  const bool was_lost =
      ignored_ && first != 0 && !is_function(slot.replaced[static_cast<std::size_t>(first)]);
  if (all_restored) used_in[static_cast<std::size_t>(slot_)].store(0);
  if (was_lost) ::raise(first);
}

int SignalCatch::count() const noexcept {
  return slots[static_cast<std::size_t>(slot_)].count.load(std::memory_order_seq_cst);
}
int SignalCatch::first() const noexcept {
  return slots[static_cast<std::size_t>(slot_)].first.load(std::memory_order_relaxed);
}

SignalCatch::Receiving::Receiving(const SignalCatch& caught) noexcept : caught_(caught) {
  slots[static_cast<std::size_t>(caught_.slot_)].receiver.store(&Flow::current(), std::memory_order_seq_cst);
  const sigset_t set = set_of(caught_.signals_);
  ::pthread_sigmask(SIG_UNBLOCK, &set, &mask_);
}

SignalCatch::Receiving::~Receiving() {
  slots[static_cast<std::size_t>(caught_.slot_)].receiver.store(nullptr, std::memory_order_seq_cst);
  ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
}

std::string name_of_signal(int number) {
  if (number == SIGINT) return "SIGINT (Ctrl-C)";
  const char* const name = ::sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

}  // namespace tg::inline v0::runtime
