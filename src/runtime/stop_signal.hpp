// SPDX-License-Identifier: Apache-2.0
// The signal that takes a thread out of a system call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>

#include "base/planted.hpp"
#include "runtime/asymmetric_fence.hpp"

namespace tg::inline v0::runtime {

constexpr std::size_t kMaskBytes = 8;  // of the kernel's set of signals

/// What a thread in system calls shares with the handler of the signal, and with the threads that stop it.
///
/// Thread safety: `is_in`, `announce` and `send` are called by the thread that sets the event; the rest by the thread
/// itself.
/// Memory ordering: if one thread calls `enter` and then reads the event's word, while another marks that word, calls
/// `heavy_fence` and then `is_in`, at least one of them sees the other.
class CallState {
 public:
  /// The calling thread enters a call which the word stops; returns what `leave` restores. Calls nest: a handler of
  /// the program may make one on top of another.
  [[gnu::always_inline]] const void* enter(const void* word) noexcept {
    const void* const outer = word_.load(std::memory_order_relaxed);
    if (TG_PLANTED(call_is_entered_without_fence)) word_.store(word, std::memory_order_relaxed);
    else set_word(word);
    return outer;
  }
  [[gnu::always_inline]] void leave(const void* outer) noexcept { set_word(outer); }
  bool is_in(const void* word) const noexcept { return word_.load(std::memory_order_seq_cst) == word; }

  /// Begins a registration: unblocks the signal on the calling thread.
  void begin() noexcept;
  /// The thread had the signal blocked once: by a mask that it has inherited, and that a task may restore. So it is
  /// unblocked before each call.
  bool must_unblock() const noexcept { return must_unblock_; }
  void unblock() noexcept;
  /// Says that a signal will be sent, once for each `begin`: from here on `receive` waits for it.
  void announce() noexcept { announced_.store(true, std::memory_order_release); }
  /// Sends it. Requires: it was announced.
  void send() noexcept;
  /// If a signal was announced, waits until it has come, or takes it where it is blocked.
  void receive() noexcept;
  /// From any thread: whether a signal was announced for the call that the word stops, and has not come yet. One
  /// that waits for the end of a handler of the program has come.
  bool is_pending_in(const void* word) const noexcept {
    return announced_.load(std::memory_order_acquire) && !received_.load(std::memory_order_acquire) &&
           !is_blocked_.load(std::memory_order_relaxed) && is_in(word);
  }
  /// From any thread: the thread's number and name, "4711 'reader'", if the signal is pending because the thread
  /// blocks it; otherwise empty. Throws `std::bad_alloc`.
  std::string thread_that_blocks_it() const;
  /// For a handler of the program that has interrupted a stopped call: if the signal was received here, sends it
  /// again, blocked until the handler returns.
  void pass_on() noexcept;
  /// In a forked child.
  void reset() noexcept;

#if defined(TG_SIMULATION)
  /// A call that ends only when it is stopped, as the instructions and the kernel make it.
  long block_until_signal(FunctionRef<bool()> is_marked) noexcept;
  /// The flow blocks the signal.
  void block_signal() noexcept { blocks_signal_.store(true); }
#endif

 private:
  friend struct StopSignalHandler;
  friend struct CallStateProbe;  // of the tests
  [[gnu::always_inline]] void set_word(const void* word) noexcept {
    if (has_heavy_fence()) [[likely]] {
      word_.store(word, std::memory_order_relaxed);
      light_fence();
    } else {
      word_.exchange(word, std::memory_order_seq_cst);
    }
  }
#if defined(TG_SIMULATION)
  tg::detail::Atomic<std::uint32_t> signals_{0};
  tg::detail::Atomic<bool> blocks_signal_{false};
#endif
  // Atomic: written by the thread, read by those who stop it.
  tg::detail::Atomic<const void*> word_{nullptr};
  // Atomic: set by the setter; read and cleared by the thread.
  tg::detail::Atomic<bool> announced_{false};
  // Atomic: set by the handler; read, set and cleared by the thread.
  tg::detail::Atomic<bool> received_{false};
  tg::detail::Atomic<bool> is_blocked_{false};  // the handler has left the signal blocked
  bool must_unblock_ = false;                   // the thread's own
  // Atomic, relaxed: a sender reads it before it sends the signal, and the thread writes it again only after it has
  // received that signal.
  tg::detail::Atomic<int> thread_{0};
};

/// The signal: one for the process.
class StopSignal {
 public:
  /// Its number: a real-time signal that few programs use.
  TG_EXPORT static int number() noexcept;
  /// Chooses another one. Throws `std::logic_error` once the handler is installed, and `std::invalid_argument` if it is
  /// not a real-time signal.
  TG_EXPORT static void choose(int number);
  /// Installs the handler, once, without a lock: also in a handler of the program. Throws `std::system_error` if the program handles the signal itself, or if the system
  /// permits no signals to threads.
  static void install();
};

}  // namespace tg::inline v0::runtime
