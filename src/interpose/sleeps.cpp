// SPDX-License-Identifier: Apache-2.0
// A stop ends each sleep. Some callers then sleep again: for the rest, until a time, or while they poll. If a stopped caller's sleeps
// ended at once, such a loop would keep a processor busy. So a stopped caller still sleeps, for a short time.
#include "interpose/sleeps.hpp"

#include <threads.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <utility>

#include <threadgroup/posix.hpp>
#include <threadgroup/thread_utils.hpp>

#include "interpose/next_function.hpp"
#include "posix/foreign_call.hpp"
#include "runtime/system_time.hpp"

namespace tg::inline v0::interpose {

namespace {
using detail::ForeignCall;

constinit NextFunction next_sleep("sleep", ::sleep);
constinit NextFunction next_usleep("usleep", ::usleep);
constinit NextFunction next_nanosleep("nanosleep", ::nanosleep);
constinit NextFunction next_clock_nanosleep("clock_nanosleep", ::clock_nanosleep);
constinit NextFunction next_thrd_sleep("thrd_sleep", ::thrd_sleep);

constexpr timespec kShort{0, 10'000'000};
constexpr timespec kBrief{0, 10'000};

// A caller that does not ask for the rest may count its sleeps instead, as SQLite does (600 in a wait of a minute), so they must be
// over soon: the first thousand of a thread end at once, after each sleep of a caller that is not stopped, and in each second. With
// what the kernel adds to each further brief one, 50 us, a loop that polls takes some 10 % of a processor.
constexpr int kMostAtOnce = 1'000;
constinit thread_local int sleeps_at_once = 0;

bool may_end_at_once() noexcept {
  static constinit thread_local std::time_t second = 0;
  const std::time_t now = runtime::time_on(CLOCK_MONOTONIC_COARSE).tv_sec;
  if (std::exchange(second, now) != now) sleeps_at_once = 0;
  return ++sleeps_at_once <= kMostAtOnce;
}

bool is_short(const timespec& time) noexcept { return time.tv_sec == 0 && time.tv_nsec <= kShort.tv_nsec; }

// The kernel rejects such a time at once.
bool is_refused(const timespec* time) noexcept { return time == nullptr || !runtime::is_valid(*time); }

// Instead of a sleep on a clock of processor time, where even a short one may never end.
int sleep_on_steady_clock_for(clockid_t clock) {
  const timespec past{};
  if (const int error = next_clock_nanosleep(clock, TIMER_ABSTIME, &past, nullptr); error != 0)
    return error;  // the kernel refuses the clock
  next_clock_nanosleep(CLOCK_MONOTONIC, 0, &kShort, nullptr);
  return ECANCELED;
}

// A sleep for a valid time. Returns the error. `left` may be null.
int sleep_for(clockid_t clock, const timespec& time, timespec* left) {
  if (!thread_utils::event_is_set()) {
    sleeps_at_once = 0;
    return posix::clock_nanosleep(clock, 0, &time, left);
  }
  if (!runtime::is_ordinary(clock)) {
    const int error = sleep_on_steady_clock_for(clock);
    if (error == ECANCELED && left != nullptr) *left = time;
    return error;
  }
  if (is_short(time)) return next_clock_nanosleep(clock, 0, &time, left);
  if (left == nullptr && may_end_at_once()) return ECANCELED;
  const timespec& pause = left != nullptr ? kShort : kBrief;
  const int error = next_clock_nanosleep(clock, 0, &pause, nullptr);
  if (error != 0 && error != EINTR) return error;
  if (left != nullptr) *left = runtime::difference(time, pause);
  return ECANCELED;
}

// A caller whose clock has not come so far may sleep again.
int sleep_until(clockid_t clock, const timespec& time) {
  if (!thread_utils::event_is_set()) return posix::clock_nanosleep(clock, TIMER_ABSTIME, &time, nullptr);
  timespec now{};
  if (::clock_gettime(clock, &now) != 0) return errno;
  const timespec left = runtime::difference(time, now);
  const bool is_over = left.tv_sec == 0 && left.tv_nsec == 0;
  if (is_over || (is_short(left) && runtime::is_ordinary(clock)))
    return next_clock_nanosleep(clock, TIMER_ABSTIME, &time, nullptr);
  return sleep_on_steady_clock_for(clock);
}
}  // namespace

void find_functions_of_sleeps() noexcept {
  find_all(next_sleep, next_usleep, next_nanosleep, next_clock_nanosleep, next_thrd_sleep);
}

// A sleep that a stop has ended has slept less than it was asked to, so it does not return 0. But `while (left > 0) left = sleep(left)`
// must end, so in a caller that was stopped before, a second or less is over after a short time; and after a handler of the program the
// result is rounded down, as by the C library, because handlers may come more often than once in a second.
TG_INTERPOSED unsigned sleep(unsigned seconds) {
  if (!ForeignCall::can_be_stopped()) return next_sleep(seconds);
  const bool is_stopped = thread_utils::event_is_set();
  const timespec time{static_cast<std::time_t>(seconds), 0};
  timespec rest = time;
  const int error = sleep_for(CLOCK_MONOTONIC, time, &rest);
  if (error == 0) return 0;
  errno = error;
  const bool rounds_up = error == ECANCELED && !is_stopped;
  return static_cast<unsigned>(rest.tv_sec) + (rounds_up && rest.tv_nsec > 0 ? 1 : 0);
}

TG_INTERPOSED int usleep(useconds_t micros) {
  if (!ForeignCall::can_be_stopped()) return next_usleep(micros);
  const timespec time = runtime::from_nanos(std::int64_t{micros} * 1'000);
  const int error = sleep_for(CLOCK_MONOTONIC, time, nullptr);
  if (error == 0) return 0;
  errno = error;
  return -1;
}

TG_INTERPOSED int nanosleep(const timespec* time, timespec* left) {
  if (!ForeignCall::can_be_stopped() || is_refused(time)) return next_nanosleep(time, left);
  const int error = sleep_for(CLOCK_MONOTONIC, *time, left);
  if (error == 0) return 0;
  errno = error;
  return -1;
}

TG_INTERPOSED int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  if (!ForeignCall::can_be_stopped() || is_refused(time))
    return next_clock_nanosleep(clock, flags, time, left);
  return (flags & TIMER_ABSTIME) != 0 ? sleep_until(clock, *time) : sleep_for(clock, *time, left);
}

// Its errors are negative; -1 is that of a signal.
TG_INTERPOSED int thrd_sleep(const timespec* time, timespec* left) {
  if (!ForeignCall::can_be_stopped()) return next_thrd_sleep(time, left);
  const int error = interpose::clock_nanosleep(CLOCK_REALTIME, 0, time, left);
  if (error == 0) return 0;
  return error == EINTR ? -1 : -2;
}

}  // namespace tg::inline v0::interpose
