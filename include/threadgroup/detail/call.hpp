// SPDX-License-Identifier: Apache-2.0
// A callable and its arguments, as a task keeps them.
#pragma once

#include <functional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::detail {

class Node;

/// The token of the group.
TG_EXPORT std::stop_token token_of(Node& group);

/// The type that a call returns, with a `std::stop_token` first if the callable takes one.
template <class F, class... Args>
struct CallResult {
  static constexpr bool kTakesToken = std::is_invocable_v<F, std::stop_token, Args...>;
  static_assert(kTakesToken || std::is_invocable_v<F, Args...>,
                "the task cannot be called with these arguments (they are copied or moved, and passed as "
                "rvalues; use std::ref to pass a reference)");
};
template <class F, class... Args>
requires std::is_invocable_v<F, std::stop_token, Args...>
struct CallResult<F, Args...> : std::invoke_result<F, std::stop_token, Args...> {
  static constexpr bool kTakesToken = true;
};
template <class F, class... Args>
requires(!std::is_invocable_v<F, std::stop_token, Args...> &&
         std::is_invocable_v<F, Args...>) struct CallResult<F, Args...> : std::invoke_result<F, Args...> {
  static constexpr bool kTakesToken = false;
};

/// A callable and its arguments, owned until they are called or dropped. A callable that takes a
/// `std::stop_token` first receives its group's.
template <class F, class... Args>
class Call {
 public:
  using Result = typename CallResult<F, Args...>::type;

  template <class G, class... Given>
  explicit Call(G&& f, Given&&... args) : parts_(std::forward<G>(f), std::forward<Given>(args)...) {}

  Result operator()(Node& group) {
    return std::apply(
        [&group](F& f, Args&... args) -> Result {
          if constexpr (CallResult<F, Args...>::kTakesToken) {
            return std::invoke(std::move(f), token_of(group), std::move(args)...);
          } else {
            (void)group;
            return std::invoke(std::move(f), std::move(args)...);
          }
        },
        parts_);
  }

 private:
  std::tuple<F, Args...> parts_;
};

/// The type as which a task keeps a callable: `F::AsTask` if that exists, so that the callable knows that it
/// became a task, and whether the task was dropped.
template <class F>
struct KeptInTask {
  using Type = F;
};
template <class F>
requires requires { typename F::AsTask; }
struct KeptInTask<F> {
  using Type = typename F::AsTask;
};

template <class F, class... Args>
using CallFor = Call<typename KeptInTask<std::decay_t<F>>::Type, std::decay_t<Args>...>;

}  // namespace tg::inline v0::detail
