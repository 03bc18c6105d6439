// SPDX-License-Identifier: Apache-2.0
// A stop ends each sleep. Some callers then sleep again for the rest, or until a time: with a stopped caller's sleeps ending at once
// such a loop would keep a processor busy. So there a stopped caller still sleeps, for a short time.
#include "interpose/sleeps.hpp"

#include <threads.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include <threadgroup/posix.hpp>
#include <threadgroup/thread_utils.hpp>

#include "interpose/next_function.hpp"
#include "posix/foreign_call.hpp"

namespace tg::inline v0::interpose {

namespace {
using detail::ForeignCall;

constinit NextFunction next_sleep("sleep", ::sleep);
constinit NextFunction next_usleep("usleep", ::usleep);
constinit NextFunction next_nanosleep("nanosleep", ::nanosleep);
constinit NextFunction next_clock_nanosleep("clock_nanosleep", ::clock_nanosleep);
constinit NextFunction next_thrd_sleep("thrd_sleep", ::thrd_sleep);

constexpr long kSecond = 1'000'000'000;
constexpr timespec kShort{0, 10'000'000};

bool is_valid(const timespec& time) noexcept {
  return time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < kSecond;
}
timespec difference(const timespec& a, const timespec& b) noexcept {
  timespec result{a.tv_sec - b.tv_sec, a.tv_nsec - b.tv_nsec};
  if (result.tv_nsec < 0) {
    --result.tv_sec;
    result.tv_nsec += kSecond;
  }
  return result;
}
bool is_short(const timespec& time) noexcept {
  return time.tv_sec < 0 || (time.tv_sec == 0 && time.tv_nsec <= kShort.tv_nsec);
}

// A sleep of a caller that will know the rest. Returns the error; `rest` is set if there is one.
int sleep_for(clockid_t clock, const timespec& time, timespec& rest) {
  rest = time;
  if (!thread_utils::event_is_set()) return posix::clock_nanosleep(clock, 0, &time, &rest);
  if (is_short(time)) return next_clock_nanosleep(clock, 0, &time, &rest);
  const int error = next_clock_nanosleep(clock, 0, &kShort, nullptr);
  if (error != 0 && error != EINTR) return error;
  rest = difference(time, kShort);
  return ECANCELED;
}

// A caller whose clock has not come so far may sleep again.
int sleep_until(clockid_t clock, const timespec& time) {
  if (!thread_utils::event_is_set()) return posix::clock_nanosleep(clock, TIMER_ABSTIME, &time, nullptr);
  timespec now{};
  if (::clock_gettime(clock, &now) != 0) return errno;
  if (is_short(difference(time, now))) return next_clock_nanosleep(clock, TIMER_ABSTIME, &time, nullptr);
  next_clock_nanosleep(CLOCK_MONOTONIC, 0, &kShort, nullptr);
  return ECANCELED;
}
}  // namespace

void find_functions_of_sleeps() noexcept {
  find_all(next_sleep, next_usleep, next_nanosleep, next_clock_nanosleep, next_thrd_sleep);
}

// A sleep that a stop has ended has slept less than it was asked to, so it does not return 0. But `while (left > 0) left = sleep(left)`
// must end, so in a caller that was stopped before, a second or less is over after a short time.
TG_INTERPOSED unsigned sleep(unsigned seconds) {
  if (!ForeignCall::can_be_stopped()) return next_sleep(seconds);
  const bool is_stopped = thread_utils::event_is_set();
  timespec rest{};
  const int error = sleep_for(CLOCK_MONOTONIC, {static_cast<std::time_t>(seconds), 0}, rest);
  if (error == 0) return 0;
  errno = error;
  return static_cast<unsigned>(rest.tv_sec) + (!is_stopped && rest.tv_nsec > 0 ? 1 : 0);
}

// The caller does not learn the rest, so it ends at once.
TG_INTERPOSED int usleep(useconds_t micros) {
  if (!ForeignCall::can_be_stopped()) return next_usleep(micros);
  const timespec time{static_cast<std::time_t>(micros / 1'000'000),
                      static_cast<long>(micros % 1'000'000) * 1000};
  return posix::nanosleep(&time, nullptr);
}

TG_INTERPOSED int nanosleep(const timespec* time, timespec* left) {
  if (!ForeignCall::can_be_stopped()) return next_nanosleep(time, left);
  if (time == nullptr || left == nullptr || !is_valid(*time)) return posix::nanosleep(time, left);
  timespec rest{};
  const int error = sleep_for(CLOCK_MONOTONIC, *time, rest);
  if (error == 0) return 0;
  *left = rest;
  errno = error;
  return -1;
}

TG_INTERPOSED int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  if (!ForeignCall::can_be_stopped()) return next_clock_nanosleep(clock, flags, time, left);
  const bool is_until = (flags & TIMER_ABSTIME) != 0;
  if (time == nullptr || !is_valid(*time) || (left == nullptr && !is_until))
    return posix::clock_nanosleep(clock, flags, time, left);
  if (is_until) return sleep_until(clock, *time);
  timespec rest{};
  const int error = sleep_for(clock, *time, rest);
  if (error != 0) *left = rest;
  return error;
}

// Its errors are negative; -1 is that of a signal.
TG_INTERPOSED int thrd_sleep(const timespec* time, timespec* left) {
  if (!ForeignCall::can_be_stopped()) return next_thrd_sleep(time, left);
  const int error = interpose::clock_nanosleep(CLOCK_REALTIME, 0, time, left);
  if (error == 0) return 0;
  return error == EINTR ? -1 : -2;
}

}  // namespace tg::inline v0::interpose
