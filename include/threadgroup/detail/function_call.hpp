// SPDX-License-Identifier: Apache-2.0
// A function of any type with its arguments, as registered functions keep them.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/argument_types.hpp>
#include <threadgroup/detail/arguments.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/results.hpp>
#include <threadgroup/thread_utils.hpp>

namespace tg::inline v0::detail {

/// Calls the function and wraps its result.
template <class Call>
Value value_of(Call&& call) {
  using R = std::invoke_result_t<Call>;
  if constexpr (std::is_void_v<R>) {
    std::forward<Call>(call)();
    return Value();
  } else if constexpr (std::is_same_v<R, Value>) {
    return std::forward<Call>(call)();
  } else {
    return Value::of(std::forward<Call>(call)());
  }
}

/// A function and its arguments. Neither of them changes.
class TG_EXPORT FunctionCall {
 public:
  virtual ~FunctionCall() = default;
  virtual Value call() const = 0;
  /// A callable for one call by a task, if the function has a form for that (see `KeptInTask`); else empty.
  virtual UniqueFunction<Value()> call_by_task() const { return {}; }
  /// The same function with other arguments. Throws `ArgumentError`.
  virtual std::shared_ptr<const FunctionCall> with(const std::string& function,
                                                   const OfferedArguments& offered) const = 0;
};

// The function is shared: by the calls, by the handle that calls it directly, by all threads.
template <class F, class... Args>
class FunctionCallOf final : public FunctionCall {
  static_assert(
      kCallableWith<F, Args...>,
      "the function cannot be called with these arguments (they are kept, and passed as constants or "
      "as copies; use std::ref to pass a reference)");

 public:
  template <class... Given>
  explicit FunctionCallOf(std::shared_ptr<F> f, Given&&... given)
      : f_(std::move(f)), args_(std::forward<Given>(given)...) {}

  Value call() const override {
    return std::apply(
        [this](const Args&... args) {
          return value_of([&]() -> decltype(auto) {
            if constexpr (std::is_invocable_v<F&, std::stop_token, const Args&...>) {
              return std::invoke(*f_, thread_utils::stop_token(), args...);
            } else if constexpr (std::is_invocable_v<F&, const Args&...>) {
              return std::invoke(*f_, args...);
            } else if constexpr (std::is_invocable_v<F&, std::stop_token, Args...>) {
              return std::invoke(*f_, thread_utils::stop_token(), Args(args)...);
            } else {
              return std::invoke(*f_, Args(args)...);
            }
          });
        },
        args_);
  }

  UniqueFunction<Value()> call_by_task() const override {
    if constexpr (sizeof...(Args) == 0 && requires { typename F::AsTask; }) {
      return [task = typename F::AsTask(*f_)]() mutable {
        return value_of([&]() -> decltype(auto) { return task(); });
      };
    } else {
      return {};
    }
  }

  std::shared_ptr<const FunctionCall> with(const std::string& function,
                                           const OfferedArguments& offered) const override {
    offered.check_count(function, sizeof...(Args));
    return with_each(function, offered, std::index_sequence_for<Args...>());
  }

 private:
  template <std::size_t... I>
  std::shared_ptr<const FunctionCall> with_each(const std::string& function, const OfferedArguments& offered,
                                                std::index_sequence<I...>) const {
    (void)function, (void)offered;  // of a function without arguments
    return std::make_shared<const FunctionCallOf>(f_, offered.template as<Args>(I, function)...);
  }

  const std::shared_ptr<F> f_;
  const std::tuple<Args...> args_;
};

template <class F, class... Given>
std::shared_ptr<const FunctionCall> bind_call(std::shared_ptr<F> f, Given&&... given) {
  using Kept = KeptTypes<F, std::decay_t<Given>...>;
  return [&]<class... Args>(Types<Args...>) {
    return std::make_shared<const FunctionCallOf<F, Args...>>(std::move(f), std::forward<Given>(given)...);
  }(Kept());
}

}  // namespace tg::inline v0::detail
