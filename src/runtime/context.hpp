// SPDX-License-Identifier: Apache-2.0
// Lines of execution that share a thread: each has a stack of its own, and they switch to each other.
#pragma once

#include <cstddef>
#include <memory>

#include <threadgroup/detail/config.hpp>
#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::runtime {

class Flow;
struct PortableContext;

/// Memory for the stack of one context, with an inaccessible page below it.
///
/// Guarantees: an overflow of up to a page is a SIGSEGV instead of a write to other memory. Pages that were
/// never touched take no memory.
class TG_EXPORT ContextStack {
 public:
  /// At least that many bytes. Throws `std::bad_alloc`.
  explicit ContextStack(std::size_t bytes);
  ~ContextStack();
  ContextStack(const ContextStack&) = delete;
  ContextStack& operator=(const ContextStack&) = delete;

  std::byte* low() const noexcept { return low_; }
  std::size_t bytes() const noexcept { return bytes_ - unused_; }

 private:
  std::byte* low_;  // above the guard
  std::size_t bytes_;
  std::size_t unused_;  // at the upper end

  static constexpr std::size_t kColor = 192;
};

/// One line of execution: the one that a thread runs by itself, or one with a stack of its own.
///
///     Context here;                                     // this thread's
///     Context other(stack, &main, &argument);
///     here.switch_to(other);                            // returns when `other` switches back
///
/// A switch saves what a function call preserves: the callee-saved registers, the modes of the floating-point
/// unit, the exceptions that are being handled, and the current flow. It saves no signal mask. It takes some
/// 15 ns on x86-64 and aarch64, and some 500 ns elsewhere, where it uses `swapcontext`.
///
/// Requires: `main` does not return and throws nothing; it ends with `end_in`. A context with a stack of its
/// own stays on one thread, because compilers keep the addresses of thread-local variables across calls.
/// Thread safety: none; all contexts that switch to each other belong to one thread.
/// Lifetime: if a context with a stack of its own has begun and not ended when it is destroyed, the objects
/// on its stack are not destroyed.
class TG_EXPORT Context {
 public:
  using Main = void (*)(void* argument) noexcept;

  /// The calling thread's own: filled in by its first switch.
  Context() noexcept;
  Context(const ContextStack& stack, Main main, void* argument);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// Leaves this context, which is the running one, and continues `next`. Returns when another one switches
  /// back.
  void switch_to(Context& next) noexcept;
  /// The same, but this context ends: nothing switches back to it.
  [[noreturn]] void end_in(Context& next) noexcept;

 private:
  // What the Itanium C++ ABI keeps for each thread.
  struct Exceptions {
    void* caught = nullptr;
    unsigned int uncaught = 0;
  };

  TG_LOCAL static void begin(void* context) noexcept;
  TG_LOCAL void leave(Context& next, bool ends) noexcept;
  TG_LOCAL void arrive() noexcept;
  TG_LOCAL void find_own_stack() noexcept;

  void* stack_pointer_ = nullptr;  // while it is not running
  Exceptions exceptions_;          // likewise
  Flow* flow_ = nullptr;           // likewise
  Main main_ = nullptr;
  void* argument_ = nullptr;
  // Where there is no assembly.
  std::unique_ptr<PortableContext> portable_;
  // For the sanitizers.
  const void* low_ = nullptr;
  std::size_t bytes_ = 0;
  [[maybe_unused]] void* fake_stack_ = nullptr;
  [[maybe_unused]] void* tsan_fiber_ = nullptr;
  [[maybe_unused]] bool owns_tsan_fiber_ = false;
};

}  // namespace tg::inline v0::runtime
