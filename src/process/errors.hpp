// SPDX-License-Identifier: Apache-2.0
// What is thrown if a command cannot be started.
#pragma once

#include <string>

namespace tg::inline v0::process {

/// Throws `std::system_error`; the text begins with "tg::Process: ".
[[noreturn]] void throw_error(int error, const std::string& what);
/// Throws `std::invalid_argument` if the text contains a null byte.
void refuse_null_byte(const std::string& text);

}  // namespace tg::inline v0::process
