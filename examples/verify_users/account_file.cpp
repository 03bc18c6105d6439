// SPDX-License-Identifier: Apache-2.0
// Reading the file of accounts.
#include "account_file.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "bad_input.hpp"
#include "users.hpp"

namespace verify_users {
namespace {

struct MadeUp {
  bool home;
  bool login;
};

std::optional<std::size_t> column_named(std::string_view name, const UserTable& table) {
  const auto found = std::ranges::find(table.columns, name);
  if (found == table.columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - table.columns.begin());
}

bool yes_or_no(const UserTable::Row& row, std::optional<std::size_t> column, const std::string& file) {
  const std::string cell = column ? row.cells.at(*column) : "";
  if (cell.empty() || cell == "yes") return true;
  if (cell == "no") return false;
  throw BadInput(fmt::format("{}:{}: '{}' is neither yes nor no", file, row.line, cell));
}

Answer answer_of(const MadeUp& account, Check check) {
  switch (check) {
    case Check::exists:
      return {true, "exists"};
    case Check::home:
      return {account.home, account.home ? "has a home" : "no home"};
    case Check::login:
      return {account.login, account.login ? "may log in" : "no login"};
  }
  return {};
}

}  // namespace

LookUp accounts_of(const std::string& file) {
  const UserTable table = read_user_table(file);
  const auto home = column_named("home", table);
  const auto login = column_named("login", table);
  std::map<std::string, MadeUp> accounts;
  for (const UserTable::Row& row : table.rows)
    accounts[row.user] = {yes_or_no(row, home, file), yes_or_no(row, login, file)};
  return [accounts = std::move(accounts)](const std::string& user, Check check) -> Answer {
    const auto found = accounts.find(user);
    return found == accounts.end() ? Answer{false, "no such account"} : answer_of(found->second, check);
  };
}

}  // namespace verify_users
