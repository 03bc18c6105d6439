// SPDX-License-Identifier: Apache-2.0
// Counts the stop signals that arrive, by a handler around the library's own.
#pragma once

#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "runtime/flow.hpp"
#include "runtime/stop_signal.hpp"

#if defined(__clang__)
#define TG_TEST_NOT_INSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#else
#define TG_TEST_NOT_INSTRUMENTED __attribute__((no_sanitize("thread", "address", "undefined")))
#endif

namespace tg::inline v0::runtime {
/// Looks into the state of a thread's calls from within a signal handler, so it calls nothing.
struct CallStateProbe {
  TG_TEST_NOT_INSTRUMENTED static bool is_true(const tg::detail::Atomic<bool>& flag) noexcept {
    return __atomic_load_n(reinterpret_cast<const bool*>(&flag), __ATOMIC_ACQUIRE);
  }
  /// A signal was announced to the thread, and has not come yet.
  TG_TEST_NOT_INSTRUMENTED static bool awaits_signal(const CallState& calls) noexcept {
    return is_true(calls.announced_) && !is_true(calls.received_);
  }
};
}  // namespace tg::inline v0::runtime

namespace tg::test {

/// While it lives, counts the stop signals of the process.
///
/// A setter announces each signal before it sends it, and the flow leaves its call only once one signal has come. So a
/// doubled signal arrives when none is awaited.
class CountedSignals {
 public:
  CountedSignals() {
    {
      const StopScope scope;
      char byte = 0;
      posix::read(-1, &byte, 1);  // installs the library's handler
    }
    seen_ = sent_again_ = unawaited_ = 0;
    change(nullptr, &before_);
    librarys_ = before_.handler;
    Action ours = before_;
    ours.handler = &count;
    change(&ours, nullptr);
  }
  ~CountedSignals() { ::syscall(SYS_rt_sigaction, number(), &before_, nullptr, runtime::kMaskBytes); }
  CountedSignals(const CountedSignals&) = delete;
  CountedSignals& operator=(const CountedSignals&) = delete;

  /// All that came to the handler.
  static long seen() { return load(seen_); }
  /// Those that the handler has sent to its thread once more, because a handler of the program was on top of the call.
  static long sent_again() { return load(sent_again_); }
  static long unawaited() { return load(unawaited_); }

 private:
  // The kernel's structure: the C library's `sigaction` would give the handler to a sanitizer.
  using HandlerFunction = void(int, siginfo_t*, void*);
  struct Action {
    HandlerFunction* handler;
    unsigned long flags;
    void (*restorer)();
    std::uint64_t mask;
  };
  static int number() { return runtime::StopSignal::number(); }
  static void change(const Action* to, Action* before) {
    if (::syscall(SYS_rt_sigaction, number(), to, before, runtime::kMaskBytes) != 0)
      throw std::system_error(errno, std::generic_category(), "the handler of the stop signal");
  }
  static long load(const long& count) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }
  TG_TEST_NOT_INSTRUMENTED static void add_one(long& count) noexcept {
    __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
  }
  TG_TEST_NOT_INSTRUMENTED static void count(int number, siginfo_t* info, void* raw) noexcept {
    const runtime::Flow* const flow = runtime::Flow::current_if_any();
    if (flow == nullptr || flow->calls == nullptr || !runtime::CallStateProbe::awaits_signal(*flow->calls))
      add_one(unawaited_);
    add_one(seen_);
    librarys_(number, info, raw);
    // It blocks the signal only in order to send it again.
    const auto& blocked = reinterpret_cast<const unsigned long&>(static_cast<ucontext_t*>(raw)->uc_sigmask);
    if ((blocked & (1UL << (number - 1))) != 0) add_one(sent_again_);
  }

  inline static constinit HandlerFunction* librarys_ = nullptr;  // constant while the object lives
  // Changed by handlers, by the compiler's own atomic operations.
  inline static constinit long seen_ = 0;
  inline static constinit long sent_again_ = 0;
  inline static constinit long unawaited_ = 0;
  Action before_{};
};

}  // namespace tg::test
