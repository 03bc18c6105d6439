// SPDX-License-Identifier: Apache-2.0
// The parameters of a callable that has exactly one signature.
#pragma once

#include <cstddef>
#include <tuple>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

template <class... P>
struct Parameters {
  static constexpr bool kKnown = true;
  static constexpr std::size_t kCount = sizeof...(P);
  template <std::size_t I>
  using At = std::tuple_element_t<I, std::tuple<P...>>;
};

/// The parameters of a callable that is overloaded or generic.
struct UnknownParameters {
  static constexpr bool kKnown = false;
  static constexpr std::size_t kCount = 0;
};

template <class M>
struct CallOperator;
#define TG_CALL_OPERATOR(qualifiers)               \
  template <class C, class R, class... P>          \
  struct CallOperator<R (C::*)(P...) qualifiers> { \
    using Type = Parameters<P...>;                 \
  };
TG_CALL_OPERATOR()
TG_CALL_OPERATOR(const)
TG_CALL_OPERATOR(&)
TG_CALL_OPERATOR(const&)
TG_CALL_OPERATOR(noexcept)
TG_CALL_OPERATOR(const noexcept)
TG_CALL_OPERATOR(&noexcept)
TG_CALL_OPERATOR(const& noexcept)
#undef TG_CALL_OPERATOR

template <class F>
struct Signature {
  using Type = UnknownParameters;
};
template <class R, class... P>
struct Signature<R (*)(P...)> {
  using Type = Parameters<P...>;
};
template <class R, class... P>
struct Signature<R (*)(P...) noexcept> {
  using Type = Parameters<P...>;
};
template <class F>
requires requires { typename CallOperator<decltype(&F::operator())>::Type; }
struct Signature<F> : CallOperator<decltype(&F::operator())> {};

/// `Parameters` of a pointer to a function, or of an object with one call operator; else `UnknownParameters`.
template <class F>
using ParametersOf = typename Signature<F>::Type;

}  // namespace tg::inline v0::detail
