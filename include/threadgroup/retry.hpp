// SPDX-License-Identifier: Apache-2.0
// Retries of a callable with growing delays, which end when the event is set.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/current_failure.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>

namespace tg {
inline namespace v0 {

/// Options of `with_retries`.
struct RetryOptions {
  std::size_t max_tries = 5;              ///< the number of tries, the first one included; at least 1
  Duration time_limit = Duration::max();  ///< no try begins later than this after the first
  Duration first_delay = std::chrono::milliseconds(100);  ///< between the first and the second try
  double factor = 2;                                      ///< from one delay to the next; at least 1
  Duration max_delay = std::chrono::seconds(30);          ///< delays stop growing here
  double jitter = 0.5;  ///< the random part of a delay, from 0 (none) to 1 (all of it)
  /// Says whether to retry after this exception. Empty: after any.
  std::function<bool(const std::exception_ptr&)> retry_if = {};
};

/// A predicate for `RetryOptions::retry_if`: true for exceptions of these types and of derived types.
///
///     .retry_if = tg::thrown<Timeout, std::system_error>()
template <class... Errors>
std::function<bool(const std::exception_ptr&)> thrown() {
  return [](const std::exception_ptr& exception) {
    const auto is = [&exception]<class E>(std::type_identity<E>) {
      try {
        std::rethrow_exception(exception);
      } catch (const E&) {
        return true;
      } catch (...) {
        return false;
      }
    };
    return (is(std::type_identity<Errors>()) || ...);
  };
}

namespace detail {
/// Throws `std::invalid_argument` that names the option that is out of range.
TG_EXPORT void check(const RetryOptions& options);
/// The delay after the given number of failed tries; `chance` is from 0 (short) up to 1 (long).
TG_EXPORT Duration retry_delay(const RetryOptions& options, std::size_t failed_tries, double chance);
TG_EXPORT double random_chance() noexcept;
/// No try begins later than this.
TG_EXPORT TimePoint retry_deadline(const RetryOptions& options);
/// Sleeps before the next try. False if there is no next try: because of the limits, the predicate or the
/// event.
TG_EXPORT bool wait_for_next_try(const RetryOptions& options, std::size_t failed_tries, TimePoint limit,
                                 const std::exception_ptr& failure);

/// An object that exists as long as a callable is retried: `F::Retried` if the callable has that type, so
/// that it knows that another try may follow a failure.
template <class F>
auto announce_retries(const F& f) {
  if constexpr (requires { typename F::Retried; }) {
    return typename F::Retried(f);
  } else {
    return nullptr;
  }
}

/// Calls `first`, and after a failure `f`, until a try succeeds or there is no next try. Both are the same
/// callable; in a task they have different types.
template <class First, class F, class... Args>
std::invoke_result_t<F&, Args&...> call_with_retries(First& first, F& f, const RetryOptions& options,
                                                     Args&... args) {
  const TimePoint limit = retry_deadline(options);
  [[maybe_unused]] const auto retries = announce_retries(f);
  for (std::size_t tries = 1;; ++tries) {
    std::exception_ptr failure;
    try {
      if (tries == 1) return std::invoke(first, args...);
      return std::invoke(f, args...);
    } catch (...) {
      failure = current_failure();
    }
    // Outside the handler: a sleep in it would keep the exception being handled.
    if (!wait_for_next_try(options, tries, limit, failure)) std::rethrow_exception(std::move(failure));
  }
}

template <class F>
class Retrying;

/// `AsTask` of a callable with retries. The first try is the task that the callable itself would have become,
/// so the callable knows of the task, and whether it was dropped.
template <class F>
class RetryingTask {
 public:
  explicit RetryingTask(const Retrying<F>& retrying)
      : f_(retrying.callable()), options_(retrying.options()), first_(f_) {}

  template <class... Args>
  std::invoke_result_t<F&, std::remove_reference_t<Args>&...> operator()(Args&&... args) {
    return call_with_retries(first_, f_, options_, args...);
  }

 private:
  F f_;
  RetryOptions options_;
  typename F::AsTask first_;
};

template <class F>
struct RetryingBase {};
template <class F>
requires requires { typename F::AsTask; }
struct RetryingBase<F> {
  using AsTask = RetryingTask<F>;
};

/// What `with_retries` returns.
template <class F>
class Retrying : public RetryingBase<F> {
 public:
  Retrying(F f, RetryOptions options) : f_(std::move(f)), options_(std::move(options)) {}

  template <class... Args>
  std::invoke_result_t<F&, std::remove_reference_t<Args>&...> operator()(Args&&... args) {
    return call_with_retries(f_, f_, options_, args...);
  }
  const F& callable() const noexcept { return f_; }
  const RetryOptions& options() const noexcept { return options_; }

 private:
  F f_;
  RetryOptions options_;
};
}  // namespace detail

/// Wraps a callable so that it is called again after it threw, with growing delays between the tries.
///
///     group.add_task(tg::with_retries(verify_user, {.max_tries = 3}), user);
///
/// A delay ends when the event of the caller's scope or group is set. If there is no next try, the wrapper
/// throws what the last try threw. Arguments are passed as lvalues, because a later try may need them. Throws
/// `std::invalid_argument` if an option is out of range.
///
/// Thread safety: that of the callable.
template <class F>
auto with_retries(F f, RetryOptions options = {}) {
  detail::check(options);
  return detail::Retrying<F>(std::move(f), std::move(options));
}

}  // namespace v0
}  // namespace tg
