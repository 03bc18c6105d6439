// SPDX-License-Identifier: Apache-2.0
// Each text begins with "tg::Process: ".
#include "process/errors.hpp"

#include <stdexcept>
#include <system_error>

namespace tg::inline v0::process {

void throw_error(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), "tg::Process: " + what);
}

void refuse_null_byte(const std::string& text) {
  if (text.find('\0') == std::string::npos) return;
  throw std::invalid_argument("tg::Process: the command or an option contains a null byte: `" +
                              std::string(text.c_str()) + "...`");
}

}  // namespace tg::inline v0::process
