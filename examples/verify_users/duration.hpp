// SPDX-License-Identifier: Apache-2.0
// Durations as people type them and as they read them: 600, 600s, 10m, 500ms.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace verify_users {

// A number, perhaps with a fraction, and one of the units ms, s, m, h; without a unit it counts seconds.
// Throws BadInput for anything else, also for what does not fit.
std::chrono::milliseconds parse_duration(std::string_view text);

// Three digits in a fitting unit: "840 us", "12.3 ms", "4.56 s", "10 min".
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace verify_users
