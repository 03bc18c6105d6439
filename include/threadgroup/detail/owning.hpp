// SPDX-License-Identifier: Apache-2.0
// Which types own what they refer to, as far as a compiler can tell.
#pragma once

#include <functional>
#include <iterator>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

template <class T>
inline constexpr bool kHoldsForeign = false;
template <class T>
inline constexpr bool kIsReferenceWrapper = false;
template <class T>
inline constexpr bool kIsReferenceWrapper<std::reference_wrapper<T>> = true;

/// False for what refers to objects of others: pointers, references, `std::reference_wrapper`, iterators, and views such
/// as `std::string_view` and `std::span`; and for pairs, tuples, optionals and containers of those. A pointer that is a
/// member of another class is not seen, nor is what a lambda has captured.
template <class T>
constexpr bool owns_what_it_uses() {
  if constexpr (std::is_reference_v<T> || std::is_pointer_v<T> || kIsReferenceWrapper<T> ||
                std::input_or_output_iterator<T>) {
    return false;
  } else if constexpr (std::ranges::range<T>) {
    using Value = std::ranges::range_value_t<T>;
    if constexpr (std::ranges::view<T> || std::ranges::borrowed_range<T>) return false;
    else if constexpr (std::is_same_v<Value, T>) return true;  // as std::filesystem::path
    else return owns_what_it_uses<Value>();
  } else {
    return !kHoldsForeign<T>;
  }
}
template <class... Parts>
inline constexpr bool kHoldsForeign<std::tuple<Parts...>> = !(owns_what_it_uses<Parts>() && ...);
template <class First, class Second>
inline constexpr bool kHoldsForeign<std::pair<First, Second>> =
    !(owns_what_it_uses<First>() && owns_what_it_uses<Second>());
template <class T>
inline constexpr bool kHoldsForeign<std::optional<T>> = !owns_what_it_uses<T>();

/// A function, a pointer to a member, or a callable without state.
template <class F>
inline constexpr bool kHasNoState = std::is_empty_v<F> || std::is_member_pointer_v<F> ||
                                    (std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>);

/// Whether such a call is left behind with nothing but what it owns.
template <class F, class... Args>
inline constexpr bool kCanBeAbandoned = kHasNoState<F> && (owns_what_it_uses<Args>() && ...);

}  // namespace tg::inline v0::detail
