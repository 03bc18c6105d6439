// SPDX-License-Identifier: Apache-2.0
// Tests of accounts.hpp against the accounts of this machine.
#include "accounts.hpp"

#include <gtest/gtest.h>
#include <pwd.h>

#include <filesystem>

namespace verify_users {
namespace {

TEST(Accounts, unknown_name_answers_no_to_every_check) {
  for (const Check check : kChecks) {
    const Answer answer = look_up("no-such-user-here", check);
    EXPECT_FALSE(answer.ok);
    EXPECT_EQ(answer.detail, "no such account");
  }
}

TEST(Accounts, root_exists_with_uid_0) {
  const Answer answer = look_up("root", Check::exists);
  EXPECT_TRUE(answer.ok);
  EXPECT_EQ(answer.detail, "uid 0");
}

// The same three questions, asked of every account of the machine by other means.
TEST(Accounts, answers_agree_with_the_user_database) {
  std::size_t seen = 0;
  ::setpwent();
  while (const passwd* entry = ::getpwent()) {
    ++seen;
    const std::string user = entry->pw_name;
    const std::string shell = entry->pw_shell;
    const bool home = std::filesystem::is_directory(entry->pw_dir);
    EXPECT_TRUE(look_up(user, Check::exists).ok) << user;
    EXPECT_EQ(look_up(user, Check::home).ok, home) << user;
    EXPECT_EQ(look_up(user, Check::login).ok, !shell.ends_with("/nologin") && !shell.ends_with("/false"))
        << user;
  }
  ::endpwent();
  EXPECT_GT(seen, 0U);
}

TEST(Accounts, checks_have_names_that_lead_back_to_them) {
  for (const Check check : kChecks) EXPECT_EQ(check_named(name_of(check)), check);
  EXPECT_EQ(check_named("shoe_size"), std::nullopt);
}

}  // namespace
}  // namespace verify_users
