// SPDX-License-Identifier: Apache-2.0
// As which types the arguments of a function are kept.
#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>

#include <threadgroup/detail/signature.hpp>

namespace tg::detail {

template <class... Ts>
struct Types {};

/// Whether kept arguments of these types can be passed: as constants or as copies, after a token or not.
template <class F, class... Args>
inline constexpr bool kCallableWith =
    std::is_invocable_v<F&, const Args&...> || std::is_invocable_v<F&, std::stop_token, const Args&...> ||
    std::is_invocable_v<F&, Args...> || std::is_invocable_v<F&, std::stop_token, Args...>;

// A number becomes the parameter's kind of number, so that 1 for a `long` is a long, and may be updated to
// one.
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
  // A function that insists on `const char*` gets what it was given.
  using type =
      std::conditional_t<kCallableWith<F, Kept<Given, I>...>, Types<Kept<Given, I>...>, Types<Given...>>;
};

/// As what the arguments are kept; text as a `std::string`, so that it lives as long as the registration.
template <class F, class... Given>
using KeptTypes = typename KeptTypesOf<F, std::index_sequence_for<Given...>, Given...>::type;

}  // namespace tg::detail
