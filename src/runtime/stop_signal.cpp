// SPDX-License-Identifier: Apache-2.0
// Installing, sending and handling the signal.
#include "runtime/stop_signal.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

#include <threadgroup/detail/atomic.hpp>

#include "base/planted.hpp"
#include "base/report.hpp"
#include "runtime/asymmetric_fence.hpp"
#include "runtime/flow.hpp"
#include "runtime/futex.hpp"
#include "runtime/processor.hpp"
#include "runtime/stoppable_call.hpp"

namespace tg::inline v0::runtime {

namespace {

// `SIGRTMAX - 3`: programs usually count from the first or from the last signal, and glibc hides the first two.
constexpr int kFromTheLast = 3;

// The chosen signal, 0 for the default one; with `kIsInstalled` it is settled. Atomic: any thread chooses or installs, and
// handlers read it.
constinit tg::detail::Atomic<int> signal_state{0};
constexpr int kIsInstalled = 1 << 16;

int number_in(int state) noexcept {
  const int number = state & ~kIsInstalled;
  return number != 0 ? number : SIGRTMAX - kFromTheLast;
}

#if !defined(TG_SIMULATION)
// A sanitizer's own code may be what the signal has interrupted, with its locks held: the handler must not enter it.
#if defined(__clang__)
#define TG_NOT_INSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#else
#define TG_NOT_INSTRUMENTED __attribute__((no_sanitize("thread", "address", "undefined")))
#endif

std::uint64_t mask_of(int number) noexcept { return std::uint64_t{1} << (number - 1); }

TG_NOT_INSTRUMENTED void pause_briefly() noexcept {
  const timespec pause{0, 50'000};
  ::syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, nullptr);
}

// Sends the signal, and retries while the user has too many pending ones (RLIMIT_SIGPENDING). Async-signal-safe. Returns false
// if the system forbids it.
TG_NOT_INSTRUMENTED bool send_to(int thread, int number) noexcept {
  while (::syscall(SYS_tgkill, ::getpid(), thread, number) != 0) {
    if (errno != EAGAIN) return false;
    pause_briefly();
  }
  return true;
}

void change_mask(int how, int number) noexcept {
  const std::uint64_t mask = mask_of(number);
  ::syscall(SYS_rt_sigprocmask, how, &mask, nullptr, kMaskBytes);
}

// The kernel's own structure. The C library's `sigaction` would give the handler to a sanitizer, which defers it.
struct KernelAction {
  void (*handler)(int, siginfo_t*, void*);
  unsigned long flags;
  void (*restorer)();  // on AArch64 unused
  std::uint64_t mask;
};
static_assert(sizeof(KernelAction) == 3 * sizeof(long) + sizeof(std::uint64_t));

#if TG_X86_64
constexpr unsigned long kHasRestorer = 0x04000000;
// 15 is rt_sigreturn. The `nop` is there because unwinders look at the byte before a return address.
extern "C" [[gnu::visibility("hidden")]] void tg_return_from_stop_signal();
asm(R"(
  .text
  .hidden tg_return_from_stop_signal
  .globl tg_return_from_stop_signal
  .type tg_return_from_stop_signal, @function
  nop
tg_return_from_stop_signal:
  movq $15, %rax
  syscall
  .size tg_return_from_stop_signal, . - tg_return_from_stop_signal
)");
#endif

#endif

}  // namespace

#if !defined(TG_SIMULATION)
/// Runs on any thread at any moment, so it calls nothing but system calls, and none of the functions of `CallState`.
struct StopSignalHandler {
#if TG_STOPPABLE_CALLS && TG_X86_64
#define TG_PROGRAM_COUNTER(context) (context).uc_mcontext.gregs[REG_RIP]
#elif TG_STOPPABLE_CALLS && TG_AARCH64
#define TG_PROGRAM_COUNTER(context) (context).uc_mcontext.pc
#endif

  template <class T>
  TG_NOT_INSTRUMENTED static T load(const tg::detail::Atomic<T>& from) noexcept {
    return __atomic_load_n(reinterpret_cast<const T*>(&from), __ATOMIC_ACQUIRE);
  }
  TG_NOT_INSTRUMENTED static void set(tg::detail::Atomic<bool>& flag) noexcept {
    __atomic_store_n(reinterpret_cast<bool*>(&flag), true, __ATOMIC_RELEASE);
  }

  TG_NOT_INSTRUMENTED static void handle(int number, siginfo_t*, void* raw) noexcept {
#if defined(TG_PROGRAM_COUNTER)
    Flow* const flow = Flow::current_if_any();
    if (flow == nullptr || flow->calls == nullptr) return;  // not ours: this thread was never registered
    CallState& state = *flow->calls;
    if (!load(state.announced_)) return;  // sent by other code
    auto& context = *static_cast<ucontext_t*>(raw);
    auto& counter = TG_PROGRAM_COUNTER(context);
    const auto here = static_cast<std::uintptr_t>(counter);
    const auto begin = reinterpret_cast<std::uintptr_t>(tg_stoppable_call_begin);
    const auto end = reinterpret_cast<std::uintptr_t>(tg_stoppable_call_end);
    if (here >= begin && here < end) {
      counter = static_cast<std::remove_reference_t<decltype(counter)>>(
          reinterpret_cast<std::uintptr_t>(tg_stoppable_call_stopped));
    } else if (here != end && load(state.word_) != nullptr) {
      // The thread is just before or just after the call, or in a handler of the program that has interrupted it:
      // when that handler returns, the kernel may make the call again. The signal is sent once more, and arrives
      // then. Without such a handler, `receive` takes it.
      const int error = errno;
      reinterpret_cast<unsigned long&>(context.uc_sigmask) |= 1UL << (number - 1);
      set(state.is_blocked_);
      const bool is_sent = send_to(load(state.thread_), number);
      errno = error;
      if (is_sent) return;
    }
    set(state.received_);
#else
    static_cast<void>(number);
    static_cast<void>(raw);
#endif
  }
};
#endif

// --- The signal ---

int StopSignal::number() noexcept { return number_in(signal_state.load(std::memory_order_relaxed)); }

void StopSignal::choose(int number) {
  if (number < SIGRTMIN || number > SIGRTMAX) {
    throw std::invalid_argument("tg::posix::use_signal(" + std::to_string(number) +
                                "): only real-time signals, from " + std::to_string(SIGRTMIN) + " to " +
                                std::to_string(SIGRTMAX) + ", can be used");
  }
  int state = signal_state.load(std::memory_order_relaxed);
  do {
    if ((state & kIsInstalled) != 0) {
      throw std::logic_error("tg::posix::use_signal: signal " + std::to_string(number_in(state)) +
                             " is in use already; choose one before the first call of tg::posix");
    }
  } while (!signal_state.compare_exchange_weak(state, number));
}

#if !defined(TG_SIMULATION)
namespace {
// A handler that is ours was installed by another thread at the same time.
void exchange_action(int number, const KernelAction* to, KernelAction& found) {
  if (::syscall(SYS_rt_sigaction, number, to, &found, kMaskBytes) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "tg::posix: signal " + std::to_string(number) + " cannot be handled");
  }
  if (found.handler == nullptr || found.handler == &StopSignalHandler::handle) return;
  if (to != nullptr) ::syscall(SYS_rt_sigaction, number, &found, nullptr, kMaskBytes);
  throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy),
                          "tg::posix: signal " + std::to_string(number) +
                              " is already handled or ignored by the program; choose another signal with "
                              "tg::posix::use_signal");
}
}  // namespace
#endif

void StopSignal::install() {
#if !defined(TG_SIMULATION)
  int state = signal_state.load(std::memory_order_acquire);
  if ((state & kIsInstalled) != 0) return;
  if (::syscall(SYS_tgkill, ::getpid(), static_cast<int>(::syscall(SYS_gettid)), 0) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "tg::posix: the system does not let this process send signals to its threads");
  }
  KernelAction ours{};
  ours.handler = &StopSignalHandler::handle;
  ours.flags = SA_RESTART | SA_ONSTACK | SA_SIGINFO;
  ours.mask = ~std::uint64_t{0};
#if TG_X86_64
  ours.flags |= kHasRestorer;
  ours.restorer = &tg_return_from_stop_signal;
#endif
  while ((state & kIsInstalled) == 0) {
    const int number = number_in(state);
    KernelAction found{};
    // A look first, so that a handler of the program stays where it is; and one more, for it may have come in between.
    exchange_action(number, nullptr, found);
    exchange_action(number, &ours, found);
    if (signal_state.compare_exchange_strong(state, number | kIsInstalled)) return;
    // Another thread has been faster, or has chosen another signal.
    const KernelAction none{};
    if (number_in(state) != number) ::syscall(SYS_rt_sigaction, number, &none, nullptr, kMaskBytes);
  }
#endif
}

// --- One thread ---

void CallState::begin() noexcept {
  announced_.store(false, std::memory_order_relaxed);
  received_.store(false, std::memory_order_relaxed);
  is_blocked_.store(false, std::memory_order_relaxed);
#if !defined(TG_SIMULATION)
  const int thread = static_cast<int>(::syscall(SYS_gettid));
  if (thread_.exchange(thread, std::memory_order_relaxed) != thread) must_unblock_ = false;
  word_.store(nullptr, std::memory_order_relaxed);  // a `siglongjmp` may have left a call without `leave`
  unblock();
#endif
}

void CallState::unblock() noexcept {
#if !defined(TG_SIMULATION)
  const std::uint64_t mask = mask_of(StopSignal::number());
  std::uint64_t before = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &mask, &before, kMaskBytes);
  if ((before & mask) != 0) must_unblock_ = true;
#endif
}

void CallState::send() noexcept {
#if defined(TG_SIMULATION)
  signals_.store(1);
  futex_wake(signals_, 1);
#else
  if (send_to(thread_.load(std::memory_order_relaxed), StopSignal::number())) return;
  received_.store(true, std::memory_order_release);
  tg::detail::report_line(
      {"the system forbids signals to threads, so a task in a system call cannot be stopped"});
#endif
}

void CallState::receive() noexcept {
  if (!announced_.load(std::memory_order_acquire)) return;
#if defined(TG_SIMULATION)
  while (signals_.load() == 0) futex_wait(signals_, 0, TimePoint::never());
  received_.store(true, std::memory_order_relaxed);
  signals_.store(0, std::memory_order_relaxed);
#else
  // It is about to be sent, was handled, or is pending: blocked by the program, or by the handler.
  for (int looks = 0; !received_.load(std::memory_order_acquire); ++looks) {
    const std::uint64_t mask = mask_of(StopSignal::number());
    const timespec at_once{};
    if (::syscall(SYS_rt_sigtimedwait, &mask, nullptr, &at_once, kMaskBytes) == StopSignal::number())
      received_.store(true, std::memory_order_relaxed);
    else if (looks < 10) ::sched_yield();
    else pause_briefly();  // the sender may have a lower priority
  }
  if (is_blocked_.load(std::memory_order_relaxed)) {
    is_blocked_.store(false, std::memory_order_relaxed);
    change_mask(SIG_UNBLOCK, StopSignal::number());
  }
#endif
  announced_.store(false, std::memory_order_relaxed);
}

std::string CallState::thread_that_blocks_it() const {
#if defined(TG_SIMULATION)
  return blocks_signal_.load() && signals_.load() != 0 ? "1 'flow'" : "";
#else
  const std::string thread = std::to_string(thread_.load(std::memory_order_relaxed));
  std::ifstream status("/proc/self/task/" + thread + "/status");
  std::string name;
  bool is_pending = false;
  for (std::string line; std::getline(status, line);) {
    const auto holds_signal = [&] {
      return (std::strtoull(line.c_str() + sizeof "SigPnd:" - 1, nullptr, 16) &
              mask_of(StopSignal::number())) != 0;
    };
    if (line.starts_with("Name:\t")) name = line.substr(sizeof "Name:");
    if (line.starts_with("SigPnd:")) is_pending = holds_signal();
    if (line.starts_with("SigBlk:") && is_pending && holds_signal()) return thread + " '" + name + "'";
  }
  return {};
#endif
}

void CallState::pass_on() noexcept {
  if (!received_.load(std::memory_order_acquire)) return;  // it was not sent, or is still to come
#if !defined(TG_SIMULATION)
  // Until the program's handler returns, with which the system restores the mask.
  change_mask(SIG_BLOCK, StopSignal::number());
  is_blocked_.store(true, std::memory_order_relaxed);
  received_.store(false, std::memory_order_relaxed);
  if (!send_to(thread_.load(std::memory_order_relaxed), StopSignal::number()))
    received_.store(true, std::memory_order_relaxed);
#endif
}

void CallState::reset() noexcept {
  word_.store(nullptr, std::memory_order_relaxed);
  announced_.store(false, std::memory_order_relaxed);
#if defined(TG_SIMULATION)
  signals_.store(0, std::memory_order_relaxed);
  blocks_signal_.store(false, std::memory_order_relaxed);
#endif
}

#if defined(TG_SIMULATION)
long CallState::block_until_signal(FunctionRef<bool()> is_marked) noexcept {
  if (is_marked()) return -ECANCELED;
  while (signals_.load() == 0) futex_wait(signals_, 0, TimePoint::never());
  return -ECANCELED;
}
#endif

}  // namespace tg::inline v0::runtime
