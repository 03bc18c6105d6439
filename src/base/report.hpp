// SPDX-License-Identifier: Apache-2.0
// Where the library reports what it can tell no caller: stderr.
#pragma once

#include <initializer_list>
#include <string_view>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::detail {

/// Writes "threadgroup: ", the parts, and a line break to stderr, in one piece. Control characters in the
/// parts are escaped, so that a name or a message can neither forge a line nor steer a terminal. Needs no
/// memory: where there is none, each character that would be escaped becomes a '?'.
TG_EXPORT void report_line(std::initializer_list<std::string_view> parts) noexcept;

/// Writes complete lines, each with its line break.
void report_lines(std::string_view lines) noexcept;

/// Gets all lines first, and returns true if it took them: then they do not go to stderr. Set while the
/// library is loaded.
using ReportTaker = bool (*)(std::string_view lines) noexcept;
extern ReportTaker report_taker;

}  // namespace tg::inline v0::detail
