// SPDX-License-Identifier: Apache-2.0
// The types as which the arguments of a function are kept.
#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>

#include <threadgroup/detail/signature.hpp>

namespace tg::inline v0::detail {

template <class... Ts>
struct Types {};

/// True if kept arguments of these types can be passed to the function: as constants or as copies, with or
/// without a token before them.
template <class F, class... Args>
inline constexpr bool kCallableWith =
    std::is_invocable_v<F&, const Args&...> || std::is_invocable_v<F&, std::stop_token, const Args&...> ||
    std::is_invocable_v<F&, Args...> || std::is_invocable_v<F&, std::stop_token, Args...>;

// A number is kept as the parameter's type of number, so that 1 for a `long` is kept as a long, and a long
// can replace it.
template <class Given, class Parameters, std::size_t Index, std::size_t Count>
constexpr auto kept_type() {
  if constexpr (std::is_same_v<Given, const char*> || std::is_same_v<Given, char*> ||
                std::is_same_v<Given, std::string_view>) {
    return std::type_identity<std::string>();
  } else if constexpr (std::is_arithmetic_v<Given> && Parameters::kKnown) {
    // One parameter more than arguments: the token comes first.
    if constexpr (Parameters::kCount == Count || Parameters::kCount == Count + 1) {
      using Parameter = std::decay_t<typename Parameters::template At<Index + Parameters::kCount - Count>>;
      if constexpr (std::is_arithmetic_v<Parameter>) {
        return std::type_identity<Parameter>();
      } else {
        return std::type_identity<Given>();
      }
    } else {
      return std::type_identity<Given>();
    }
  } else {
    return std::type_identity<Given>();
  }
}

template <class F, class Indices, class... Given>
struct KeptTypesOf;
template <class F, std::size_t... I, class... Given>
struct KeptTypesOf<F, std::index_sequence<I...>, Given...> {
  template <class Given1, std::size_t Index>
  using Kept = typename decltype(kept_type<Given1, ParametersOf<F>, Index, sizeof...(Given)>())::type;
  // A function that takes only `const char*` receives the pointer that was given.
  using type =
      std::conditional_t<kCallableWith<F, Kept<Given, I>...>, Types<Kept<Given, I>...>, Types<Given...>>;
};

/// The types as which the arguments are kept. Text is kept as a `std::string`, which lives as long as the
/// registration.
template <class F, class... Given>
using KeptTypes = typename KeptTypesOf<F, std::index_sequence_for<Given...>, Given...>::type;

}  // namespace tg::inline v0::detail
