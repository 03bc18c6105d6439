// SPDX-License-Identifier: Apache-2.0
// Names and messages as they may be shown on a terminal, in a log or to another program.
#pragma once

#include <string>
#include <string_view>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::detail {

/// The text without what could forge a line or steer a terminal: control characters, line separators and the
/// marks that turn the direction of writing become escapes ("\n", "\x1b", "\u202e"), as do bytes that are not
/// UTF-8. The rest stays as it is, backslashes included, so that escaping twice changes nothing.
TG_EXPORT std::string escaped(std::string_view text);

/// The text as UTF-8 without zeros, for programs that refuse other bytes: U+FFFD takes the place of each that does not
/// belong there.
std::string mended(std::string_view text);

}  // namespace tg::inline v0::detail
