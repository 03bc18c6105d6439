// SPDX-License-Identifier: Apache-2.0
// What is lost of the numbers of a text when they are read as doubles.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// The numbers of a text with which a reader of doubles cannot tell what was written.
struct RoundedNumbers {
  using Place = nlohmann::json::json_pointer;
  /// The first one that is not 0 and is read as 0, such as 1e-400; else empty.
  std::string too_small;
  /// Those that have a fraction and are read without one, such as 0.99999999999999999999: where, and the
  /// text.
  std::vector<std::pair<Place, std::string>> whole;
};

/// Requires: the text is well-formed JSON.
RoundedNumbers rounded_numbers(std::string_view text);

/// Throws `std::invalid_argument` if such a number became an integer in `written`, which is the value that
/// was read, as JSON.
void require_kept_fractions(const RoundedNumbers& read, const nlohmann::json& written);

}  // namespace tg::inline v0::detail
