// SPDX-License-Identifier: Apache-2.0
// Where in the source a call is.
#pragma once

#include <cstdint>
#include <string>

namespace tg {

/// The file, line and function of a call, taken as a default argument.
///
/// It does what `std::source_location` does; clang 14 cannot compile the one that libstdc++ ships.
/// Lifetime: the strings are literals and live as long as the program.
struct SourceLocation {
  const char* file = "";
  const char* function = "";
  std::uint32_t line = 0;

  static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                          const char* function = __builtin_FUNCTION(),
                                          std::uint32_t line = __builtin_LINE()) {
    return SourceLocation{file, function, line};
  }
};

/// "main.cpp:42", without the folders; empty if the place is unknown.
std::string to_string(const SourceLocation& where);

}  // namespace tg
