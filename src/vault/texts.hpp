// SPDX-License-Identifier: Apache-2.0
// Pieces of texts that several parts of a vault write.
#pragma once

#include <string>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

inline std::string quoted(const std::string& text) { return "'" + text + "'"; }

}  // namespace tg::inline v0::detail
