// SPDX-License-Identifier: Apache-2.0
// Reading the numbers in the word of a schedule.
#pragma once

#include <charconv>
#include <cstddef>
#include <string_view>
#include <system_error>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::sim {

/// Reads a number from the start of the text, and removes it from the text. False if there is none.
template <class Number>
bool read_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace tg::inline v0::sim
