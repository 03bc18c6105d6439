// SPDX-License-Identifier: Apache-2.0
// How values are printed in results and by a vault: `1`, `text`, `true`, `(1, true)`, `[1, 2]`, `{a: 1}`.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <ostream>  // complete, so that `Streamable` means the same everywhere
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/input_range.hpp>
#include <threadgroup/detail/type_name.hpp>
#include <threadgroup/detail/unique_function.hpp>

namespace tg {
inline namespace v0 {

/// Prints values of a type. Specialise it for a type that has no `operator<<`, or one that prints too much.
///
///     template <> struct tg::Printer<User> {
///       static void print(std::string& out, const User& user) { out += user.name; }
///     };
template <class T>
struct Printer {};

namespace detail {

TG_EXPORT void print_integer(std::string& out, long long value);
TG_EXPORT void print_integer(std::string& out, unsigned long long value);
// The shortest text that reads back as the same number.
TG_EXPORT void print_floating(std::string& out, float value);
TG_EXPORT void print_floating(std::string& out, double value);
TG_EXPORT void print_floating(std::string& out, long double value);
TG_EXPORT void print_streamed(std::string& out, FunctionRef<void(std::ostream&)> write);

template <class T>
concept HasPrinter = requires(std::string& out, const T& value) {
  Printer<T>::print(out, value);
};
template <class T>
concept StringLike = std::is_convertible_v<const T&, std::string_view>;
// A pointer to a function would go through bool, and print as 1.
template <class T>
concept Streamable =
    !std::is_function_v<std::remove_pointer_t<T>> && requires(std::ostream & out, const T& value) {
  out << value;
};
template <class T>
concept Range = InputRange<const T> && !std::same_as<std::remove_cvref_t<RangeReference<const T>>, T>;
template <class T>
concept SetLike = Range<T> && requires {
  typename T::key_type;
};
template <class T>
concept MapLike = SetLike<T> && requires(RangeReference<const T> each) {
  typename T::mapped_type;
  each.first;
  each.second;
};

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsTupleValue = false;
template <class... Ts>
inline constexpr bool kIsTupleValue<std::tuple<Ts...>> = true;
template <class A, class B>
inline constexpr bool kIsTupleValue<std::pair<A, B>> = true;

template <class T>
void print(std::string& out, const T& value);

template <class T>
void print_range(std::string& out, const T& range) {
  out += SetLike<T> ? '{' : '[';
  bool first = true;
  for (auto&& each : range) {
    if (!std::exchange(first, false)) out += ", ";
    if constexpr (MapLike<T>) {
      print(out, each.first);
      out += ": ";
      print(out, each.second);
    } else {
      // A proxy, as that of vector<bool>, becomes the value that it refers to.
      const RangeValue<const T>& element = each;
      print(out, element);
    }
  }
  out += SetLike<T> ? '}' : ']';
}

/// Appends the value, or the name of its type if it cannot be printed.
template <class T>
void print(std::string& out, const T& value) {
  if constexpr (HasPrinter<T>) {
    Printer<T>::print(out, value);
  } else if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::same_as<T, char>) {
    out += value;
  } else if constexpr (std::signed_integral<T>) {
    print_integer(out, static_cast<long long>(value));
  } else if constexpr (std::unsigned_integral<T>) {
    print_integer(out, static_cast<unsigned long long>(value));
  } else if constexpr (std::floating_point<T>) {
    print_floating(out, value);
  } else if constexpr (std::same_as<std::remove_cv_t<std::remove_pointer_t<T>>, char>) {
    out += value != nullptr ? value : "nullptr";
  } else if constexpr (StringLike<T>) {
    out += static_cast<std::string_view>(value);
  } else if constexpr (std::same_as<T, std::nullptr_t>) {
    out += "nullptr";
  } else if constexpr (std::same_as<T, std::nullopt_t>) {
    out += "nullopt";
  } else if constexpr (kIsOptional<T>) {
    if (value) {
      print(out, *value);
    } else {
      out += "nullopt";
    }
  } else if constexpr (kIsTupleValue<T>) {
    out += '(';
    std::apply(
        [&out](const auto&... parts) {
          bool first = true;
          ((out += std::exchange(first, false) ? "" : ", ", print(out, parts)), ...);
        },
        value);
    out += ')';
  } else if constexpr (Streamable<T>) {  // before ranges: a path is a range of paths, without end
    print_streamed(out, [&value](std::ostream& stream) { stream << value; });
  } else if constexpr (Range<T>) {
    print_range(out, value);
  } else {
    out += type_name(typeid(T));
  }
}

template <class T>
std::string printed(const T& value) {
  std::string text;
  print(text, value);
  return text;
}

}  // namespace detail
}  // namespace v0
}  // namespace tg
