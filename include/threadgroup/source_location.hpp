// SPDX-License-Identifier: Apache-2.0
// The place of a call in the source.
#pragma once

#include <cstdint>
#include <string>

#include <threadgroup/detail/export.hpp>

namespace tg {
inline namespace v0 {

/// The file, line and function of a call, taken as a default argument.
///
///     void log(const std::string& text, tg::SourceLocation where = tg::SourceLocation::current());
///
/// It is used in place of `std::source_location`, because clang 14 cannot compile that of libstdc++.
///
/// Lifetime: the strings are literals and live as long as the program, or until the shared library that
/// contains the call is unloaded.
struct SourceLocation {
  const char* file = "";      ///< as the compiler was given it; empty: unknown
  const char* function = "";  ///< the name of the calling function
  std::uint32_t line = 0;     ///< from 1; 0: unknown

  /// The place of the call in whose default argument this is.
  static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                          const char* function = __builtin_FUNCTION(),
                                          std::uint32_t line = __builtin_LINE()) {
    return SourceLocation{file, function, line};
  }
};

/// "main.cpp:42", without the folders; empty if the place of the call is unknown.
TG_EXPORT std::string to_string(const SourceLocation& where);

}  // namespace v0
}  // namespace tg
