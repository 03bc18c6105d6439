// SPDX-License-Identifier: Apache-2.0
// As which types the arguments of a function are kept.
#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace tg::detail {

template <class... Ts>
struct Types {};

/// Whether kept arguments of these types can be passed: as constants or as copies, after a token or not.
template <class F, class... Args>
inline constexpr bool kCallableWith =
    std::is_invocable_v<F&, const Args&...> || std::is_invocable_v<F&, std::stop_token, const Args&...> ||
    std::is_invocable_v<F&, Args...> || std::is_invocable_v<F&, std::stop_token, Args...>;

/// The parameters of a function, or of a class that is called in one way only; for others `void`.
template <class F>
struct FunctionParameters {
  using type = void;
};
template <class R, class... Ps>
struct FunctionParameters<R (*)(Ps...)> {
  using type = std::tuple<Ps...>;
};
template <class R, class... Ps>
struct FunctionParameters<R (*)(Ps...) noexcept> : FunctionParameters<R (*)(Ps...)> {};

template <class M>
struct MemberParameters {
  using type = void;
};
template <class R, class C, class... Ps>
struct MemberParameters<R (C::*)(Ps...)> : FunctionParameters<R (*)(Ps...)> {};
template <class R, class C, class... Ps>
struct MemberParameters<R (C::*)(Ps...) const> : FunctionParameters<R (*)(Ps...)> {};
template <class R, class C, class... Ps>
struct MemberParameters<R (C::*)(Ps...) noexcept> : FunctionParameters<R (*)(Ps...)> {};
template <class R, class C, class... Ps>
struct MemberParameters<R (C::*)(Ps...) const noexcept> : FunctionParameters<R (*)(Ps...)> {};

template <class F>
requires requires { &F::operator(); }
struct FunctionParameters<F> : MemberParameters<decltype(&F::operator())> {};

template <class F>
inline constexpr std::size_t kArity = 0;
template <class... Ps>
inline constexpr std::size_t kArity<std::tuple<Ps...>> = sizeof...(Ps);

// A number becomes the parameter's kind of number, so that 1 for a `long` is a long, and may be updated to
// one.
template <class Given, class Parameters, std::size_t Index, std::size_t Count>
constexpr auto kept_type() {
  if constexpr (std::is_same_v<Given, const char*> || std::is_same_v<Given, char*> ||
                std::is_same_v<Given, std::string_view>) {
    return std::type_identity<std::string>();
  } else if constexpr (std::is_arithmetic_v<Given> && !std::is_void_v<Parameters>) {
    // One parameter more than arguments: the token comes first.
    constexpr std::size_t kAt = Index + kArity<Parameters> - Count;
    if constexpr (kArity<Parameters> == Count || kArity<Parameters> == Count + 1) {
      using Parameter = std::decay_t<std::tuple_element_t<kAt, Parameters>>;
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
  using Kept = typename decltype(kept_type<Given1, typename FunctionParameters<F>::type, Index,
                                           sizeof...(Given)>())::type;
  // A function that insists on `const char*` gets what it was given.
  using type =
      std::conditional_t<kCallableWith<F, Kept<Given, I>...>, Types<Kept<Given, I>...>, Types<Given...>>;
};

/// As what the arguments are kept; text as a `std::string`, so that it lives as long as the registration.
template <class F, class... Given>
using KeptTypes = typename KeptTypesOf<F, std::index_sequence_for<Given...>, Given...>::type;

}  // namespace tg::detail
