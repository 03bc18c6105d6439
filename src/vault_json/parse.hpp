// SPDX-License-Identifier: Apache-2.0
// Reading JSON where memory may run out.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// As `nlohmann::json::parse`, with its exceptions, into a value of the caller's. If it throws, `root` has
/// the parts that were read: an `EmptiedJson` of the caller destroys them without needing memory, and `parse`
/// would not.
void parse_json(std::string_view text, nlohmann::json& root);

}  // namespace tg::inline v0::detail
