// SPDX-License-Identifier: Apache-2.0
// Looking up accounts.
#include "accounts.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <pwd.h>
#include <sys/types.h>

namespace verify_users {
namespace {

struct Account {
  uid_t uid;
  std::string home;
  std::string shell;
};

std::optional<Account> find_account(const std::string& user) {
  // The entry's strings are in the buffer, and only a try shows how large it has to be.
  for (std::vector<char> buffer(1024);; buffer.resize(buffer.size() * 2)) {
    passwd entry{};
    passwd* found = nullptr;
    const int error = getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) continue;
    if (found != nullptr) return Account{found->pw_uid, found->pw_dir, found->pw_shell};
    // POSIX lets systems report an unknown name in any of these ways.
    if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
      return std::nullopt;
    if (error != EINTR) throw std::system_error(error, std::generic_category(), "getpwnam_r");
  }
}

Answer home_of(const Account& account) {
  std::error_code error;
  const bool there = std::filesystem::is_directory(account.home, error);
  return {there, there ? account.home : fmt::format("no home {}", account.home)};
}

Answer login_of(const Account& account) {
  const std::string shell = account.shell.empty() ? "/bin/sh" : account.shell;
  const std::string program = std::filesystem::path(shell).filename();
  const bool may = program != "nologin" && program != "false";
  return {may, may ? shell : fmt::format("no login ({})", shell)};
}

}  // namespace

std::string_view name_of(Check check) {
  switch (check) {
    case Check::exists:
      return "exists";
    case Check::home:
      return "home";
    case Check::login:
      return "login";
  }
  return "?";
}

std::optional<Check> check_named(std::string_view name) {
  for (const Check check : kChecks) {
    if (name_of(check) == name) return check;
  }
  return std::nullopt;
}

Answer look_up(const std::string& user, Check check) {
  const std::optional<Account> account = find_account(user);
  if (!account) return {false, "no such account"};
  switch (check) {
    case Check::exists:
      return {true, fmt::format("uid {}", account->uid)};
    case Check::home:
      return home_of(*account);
    case Check::login:
      return login_of(*account);
  }
  return {};
}

}  // namespace verify_users
