// SPDX-License-Identifier: Apache-2.0
// Which types own what they refer to, as far as a compiler can tell.
#pragma once

#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <threadgroup/detail/config.hpp>
#include <threadgroup/detail/input_range.hpp>
#include <threadgroup/detail/unique_function.hpp>

namespace tg {
inline namespace v0 {

template <class T>
struct OwnsWhatItUses;

namespace detail {

template <class T>
constexpr bool owns_what_it_uses() {
  return OwnsWhatItUses<std::remove_cv_t<T>>::value;
}

template <class T>
constexpr bool pointee_owns_what_it_uses() {
  using Pointee = std::remove_extent_t<T>;
  if constexpr (requires { sizeof(Pointee); }) return owns_what_it_uses<Pointee>();
  else return true;  // void, or the handle of a C library
}

// By name: false for what refers to objects of others. What has parts is judged by them.
template <class T>
inline constexpr bool kOwns = true;
template <class T>
inline constexpr bool kOwns<std::initializer_list<T>> = false;
template <class T>
inline constexpr bool kOwns<std::reference_wrapper<T>> = false;
template <class Signature>
inline constexpr bool kOwns<FunctionRef<Signature>> = false;
template <>
inline constexpr bool kOwns<std::vector<bool>::reference> = false;
template <class... Parts>
inline constexpr bool kOwns<std::tuple<Parts...>> = (owns_what_it_uses<Parts>() && ...);
template <class... Parts>
inline constexpr bool kOwns<std::variant<Parts...>> = (owns_what_it_uses<Parts>() && ...);
template <class First, class Second>
inline constexpr bool kOwns<std::pair<First, Second>> =
    owns_what_it_uses<First>() && owns_what_it_uses<Second>();
template <class T>
inline constexpr bool kOwns<std::optional<T>> = owns_what_it_uses<T>();
template <class T, class Deleter>
inline constexpr bool kOwns<std::unique_ptr<T, Deleter>> =
    !std::is_reference_v<Deleter> && pointee_owns_what_it_uses<T>();
template <class T>
inline constexpr bool kOwns<std::shared_ptr<T>> = pointee_owns_what_it_uses<T>();
template <class T>
inline constexpr bool kOwns<std::weak_ptr<T>> = pointee_owns_what_it_uses<T>();

// What <string_view> and <span> specialize, so they declare it, too.
template <class T>
inline constexpr bool kIsView = std::ranges::enable_view<T> || std::ranges::enable_borrowed_range<T>;

// `std::atomic_ref`: no other type of the standard library has this member.
template <class T>
concept IsAtomicReference = requires {
  T::required_alignment;
};

/// False for what refers to objects of others: pointers, references, `std::reference_wrapper`, iterators, locks, and views
/// such as `std::string_view` and `std::span`; and for the standard library's containers, pairs, smart pointers and so on
/// of those. A pointer that is a member of another class is not seen, nor is what a lambda or a `std::function` has
/// captured.
template <class T>
constexpr bool finds_owner() {
  if constexpr (!kOwns<T> || std::is_reference_v<T> || std::is_pointer_v<T> ||
                std::input_or_output_iterator<T> || IsAtomicReference<T> ||
                requires { typename T::mutex_type; }) {
    return false;
  } else if constexpr (InputRange<T>) {
    using Value = std::iter_value_t<RangeIterator<T&>>;
    if constexpr (kIsView<T>) return false;
    else if constexpr (std::is_same_v<Value, T>) return true;  // as std::filesystem::path
    else return owns_what_it_uses<Value>();
  } else if constexpr (requires { typename T::container_type; }) {  // as std::queue
    return owns_what_it_uses<typename T::container_type>();
  } else {
    return true;
  }
}

}  // namespace detail

/// Whether objects of a type own what they refer to, so that an abandoned call may use them. Found out for most types; a
/// program may specialize it for one of its own, such as one that contains a pointer.
///
///     template <>
///     struct tg::OwnsWhatItUses<Cursor> : std::false_type {};
template <class T>
struct OwnsWhatItUses : std::bool_constant<detail::finds_owner<T>()> {};

namespace detail {

/// A function, a pointer to a member, or a callable without state.
template <class F>
inline constexpr bool kHasNoState = std::is_empty_v<F> || std::is_member_pointer_v<F> ||
                                    (std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>);

}  // namespace detail
}  // namespace v0
}  // namespace tg
