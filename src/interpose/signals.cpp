// SPDX-License-Identifier: Apache-2.0
// Waiting for signals, and signal masks. A signal that is pending already is taken also in a stopped task. A thread of the library never
// blocks the signal that stops its calls, as no thread can block the signals that the C library needs.
#include "interpose/signals.hpp"

#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's

#include <cerrno>
#include <ctime>

#include <threadgroup/posix.hpp>

#include "interpose/next_function.hpp"
#include "interpose/stoppable.hpp"
#include "posix/foreign_call.hpp"
#include "runtime/flow.hpp"
#include "runtime/stop_signal.hpp"

namespace tg::inline v0::interpose {

namespace {
using detail::ForeignCall;

constinit NextFunction next_sigwait("sigwait", ::sigwait);
constinit NextFunction next_sigwaitinfo("sigwaitinfo", ::sigwaitinfo);
constinit NextFunction next_sigtimedwait("sigtimedwait", ::sigtimedwait);
constinit NextFunction next_sigsuspend("sigsuspend", ::sigsuspend);
constinit NextFunction next_pthread_sigmask("pthread_sigmask", ::pthread_sigmask);
constinit NextFunction next_sigprocmask("sigprocmask", ::sigprocmask);

// In a stopped task a signal that is not pending yet is waited for no longer.
int wait_for_signal(const sigset_t* signals, siginfo_t* info, const timespec* timeout) {
  if (signals == nullptr) return next_sigtimedwait(signals, info, timeout);  // the kernel refuses it
  const int number = posix::sigtimedwait(signals, info, timeout);
  if (number >= 0 || errno != ECANCELED) return number;
  const timespec at_once{};
  sigset_t others = *signals;
  ::sigdelset(&others, runtime::StopSignal::number());  // it is the library's to take
  const int pending = next_sigtimedwait(&others, info, &at_once);
  if (pending < 0) errno = ECANCELED;
  return pending;
}

// The set without the signal that stops calls, if the caller is about to block it and is a thread whose calls can be stopped.
class Mask {
 public:
  Mask(int how, const sigset_t* set) noexcept : set_(set) {
    const runtime::Flow* const flow = runtime::Flow::current_if_any();
    if (set == nullptr || how == SIG_UNBLOCK || flow == nullptr || flow->call_registration == nullptr) return;
    const int number = runtime::StopSignal::number();
    if (::sigismember(set, number) != 1) return;
    without_ = *set;
    ::sigdelset(&without_, number);
    set_ = &without_;
  }
  const sigset_t* get() const noexcept { return set_; }

 private:
  const sigset_t* set_;
  sigset_t without_;
};
}  // namespace

void find_functions_of_signals() noexcept {
  find_all(next_sigwait, next_sigwaitinfo, next_sigtimedwait, next_sigsuspend, next_pthread_sigmask,
           next_sigprocmask);
}

TG_INTERPOSED int sigtimedwait(const sigset_t* signals, siginfo_t* info, const timespec* timeout) {
  return ForeignCall::can_be_stopped() ? wait_for_signal(signals, info, timeout)
                                       : next_sigtimedwait(signals, info, timeout);
}

TG_INTERPOSED int sigwaitinfo(const sigset_t* signals, siginfo_t* info) {
  return ForeignCall::can_be_stopped() ? wait_for_signal(signals, info, nullptr)
                                       : next_sigwaitinfo(signals, info);
}

// Returns the error. It has no EINTR: it waits on after a handler.
TG_INTERPOSED int sigwait(const sigset_t* signals, int* number) {
  if (!ForeignCall::can_be_stopped()) return next_sigwait(signals, number);
  int got = 0;
  do got = wait_for_signal(signals, nullptr, nullptr);
  while (got < 0 && errno == EINTR);
  if (got < 0) return errno;
  *number = got;
  return 0;
}

TG_INTERPOSED int sigsuspend(const sigset_t* blocked) {
  return stoppable(posix::sigsuspend, next_sigsuspend, blocked);
}

TG_INTERPOSED int pthread_sigmask(int how, const sigset_t* set, sigset_t* before) noexcept {
  return next_pthread_sigmask(how, Mask(how, set).get(), before);
}

TG_INTERPOSED int sigprocmask(int how, const sigset_t* set, sigset_t* before) noexcept {
  return next_sigprocmask(how, Mask(how, set).get(), before);
}

}  // namespace tg::inline v0::interpose
