// SPDX-License-Identifier: Apache-2.0
// Opt-in: printing of results whose types only fmt can print; needs the fmt library.
#pragma once

#include <iterator>
#include <string>

#include <fmt/format.h>

#include <threadgroup/print.hpp>

namespace tg {
inline namespace v0 {

/// Prints values by `fmt::format_to` if their type has a `fmt::formatter` and the library cannot print it
/// otherwise.
///
/// Requires: every source in which a value of such a type becomes a result includes this header, or none
/// does. Otherwise the program breaks the one-definition rule, and the linker picks a way to print.
template <class T>
requires(fmt::is_formattable<T>::value && !std::is_arithmetic_v<T> && !std::is_pointer_v<T> &&
         !std::is_null_pointer_v<T> && !detail::StringLike<T> && !detail::kIsOptional<T> &&
         !detail::kIsTupleValue<T> && !detail::Streamable<T> && !detail::Range<T>) struct Printer<T> {
  /// Appends the value to `out`.
  static void print(std::string& out, const T& value) {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
};

}  // namespace v0
}  // namespace tg
