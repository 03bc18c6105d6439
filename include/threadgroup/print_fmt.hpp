// SPDX-License-Identifier: Apache-2.0
// Opt-in: results of types that only fmt can print. The one header, besides JSON, that needs another library.
#pragma once

#include <iterator>
#include <string>

#include <fmt/format.h>

#include <threadgroup/print.hpp>

namespace tg {

/// Prints, with `fmt`, values for which there is a `fmt::formatter` and nothing that the library uses by
/// itself. Requires: included wherever a value of such a type becomes a result, or nowhere; otherwise the
/// linker picks one.
template <class T>
requires(fmt::is_formattable<T>::value && !std::is_arithmetic_v<T> && !std::is_pointer_v<T> &&
         !std::is_null_pointer_v<T> && !detail::StringLike<T> && !detail::kIsOptional<T> &&
         !detail::kIsTupleValue<T> && !detail::Streamable<T> && !detail::Range<T>) struct Printer<T> {
  static void print(std::string& out, const T& value) {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
};

}  // namespace tg
