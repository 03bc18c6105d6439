// SPDX-License-Identifier: Apache-2.0
// What is known about an account: the three questions that a verification asks, and who answers them.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace verify_users {

enum class Check { exists, home, login };

inline constexpr std::array kChecks{Check::exists, Check::home, Check::login};

std::string_view name_of(Check check);
std::optional<Check> check_named(std::string_view name);

struct Answer {
  bool ok = false;
  std::string detail;  // why, in words for a person
};

// Looks the account up in the system's user database (/etc/passwd, LDAP and whatever else NSS knows), and its
// home in the file system. Throws std::system_error when the database cannot be read.
Answer look_up(const std::string& user, Check check);

using LookUp = std::function<Answer(const std::string& user, Check check)>;

}  // namespace verify_users
