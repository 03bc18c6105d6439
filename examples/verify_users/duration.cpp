// SPDX-License-Identifier: Apache-2.0
// Parsing and printing of durations.
#include "duration.hpp"

#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "bad_input.hpp"

namespace verify_users {
namespace {

std::optional<double> milliseconds_in(std::string_view unit) {
  if (unit == "ms") return 1.0;
  if (unit.empty() || unit == "s") return 1'000.0;
  if (unit == "m" || unit == "min") return 60'000.0;
  if (unit == "h") return 3'600'000.0;
  return std::nullopt;
}

}  // namespace

std::chrono::milliseconds parse_duration(std::string_view text) {
  // 30,000 years: far beyond any use, and no unit of <chrono> overflows on the way.
  constexpr double kLongest = 1e15;

  // Cut here, as from_chars would also take "inf", "nan" and exponents.
  const std::string_view digits = text.substr(0, text.find_first_not_of("0123456789."));
  const auto unit = milliseconds_in(text.substr(digits.size()));
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (!unit || error != std::errc{} || end != digits.data() + digits.size()) {
    throw BadInput(fmt::format("'{}' is not a duration: write it as 600, 600s, 10m or 500ms", text));
  }
  if (number * *unit > kLongest) throw BadInput(fmt::format("'{}' is too long a duration", text));
  return std::chrono::milliseconds{std::llround(number * *unit)};
}

std::string format_duration(std::chrono::nanoseconds duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 0.1) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 600) return fmt::format("{:.0f} s", seconds);
  return fmt::format("{:.0f} min", seconds / 60);
}

}  // namespace verify_users
