// SPDX-License-Identifier: Apache-2.0
// verify_users from the outside: exit status, what it prints, and that it stops when it is asked to.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "accounts.hpp"
#include "fake_service.hpp"
#include "program.hpp"
#include "users.hpp"

namespace verify_users {
namespace {

// So long that a program that does not wake from it runs into the test's time limit.
const std::string kForEver = "1h";

std::string users_file(const std::string& name, const std::vector<std::string>& users) {
  std::string text = "user\n";
  for (const std::string& user : users) text += user + '\n';
  return file_with(name + ".csv", text);
}

// Real accounts, looked up by the program's own service.

TEST(OwnService, account_that_may_log_in_is_verified_and_the_exit_status_is_0) {
  std::string good;
  for (const std::string& user : read_users("/etc/passwd")) {
    const auto passes = [&](Check check) { return look_up(user, check).ok; };
    if (passes(Check::exists) && passes(Check::home) && passes(Check::login)) good = user;
  }
  ASSERT_FALSE(good.empty()) << "no account of this machine may log in";
  const Exit exit = run_program({"--users", users_file("real", {good, "no-such-user"}), "--latency", "0-2ms",
                                 "--retry-pause", "1ms", "--retries", "1000", "--seed", "3"});
  EXPECT_EQ(exit.status, 0) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "Verified: 1 (1 needed)\n  " + good)) << exit.out;
  EXPECT_TRUE(has(exit.out, "condition_met at MainThread/Verifying Users")) << exit.out;
  EXPECT_TRUE(has(exit.out, "last task's exit:")) << exit.out;
  EXPECT_EQ(exit.err, "");
}

TEST(OwnService, unknown_accounts_are_refused_and_the_exit_status_is_1) {
  const Exit exit = run_program({"--users", users_file("unknown", {"no-such-user-1", "no-such-user-2"}),
                                 "--latency", "0-2ms", "--retry-pause", "1ms", "--retries", "1000"});
  EXPECT_EQ(exit.status, 1) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "Tasks: 0 succeeded, 2 failed, 0 skipped")) << exit.out;
  EXPECT_TRUE(has(exit.out, "no-such-user-2       no such account")) << exit.out;
  EXPECT_TRUE(has(exit.out, "Nothing stopped it")) << exit.out;
  EXPECT_EQ(exit.err, "");
}

TEST(OwnService, unknown_accounts_bring_a_hint_how_to_name_others) {
  const std::string users = users_file("hint", {"no-such-user"});
  const std::vector<std::string> quick{"--latency", "0", "--failure-share", "0", "--users", users};
  const Exit exit = run_program(quick);
  EXPECT_TRUE(has(exit.out, "--accounts FILE names others")) << exit.out;
}

TEST(OwnService, accounts_of_a_file_are_verified_by_its_columns) {
  const std::string team =
      file_with("team.csv", "user,home,login\nada,yes,yes\nbot,yes,no\nguest,no,yes\nalan,,\n");
  const std::string users = users_file("all", {"ada", "bot", "guest", "alan", "stranger"});
  const Exit exit = run_program(
      {"--users", users, "--accounts", team, "--need", "5", "--latency", "0", "--failure-share", "0"});
  EXPECT_EQ(exit.status, 1) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "Tasks: 2 succeeded, 3 failed, 0 skipped")) << exit.out;
  EXPECT_TRUE(has(exit.out, "bot                  no login\n")) << exit.out;
  EXPECT_TRUE(has(exit.out, "guest                no home\n")) << exit.out;
  EXPECT_TRUE(has(exit.out, "stranger             no such account\n")) << exit.out;
  EXPECT_FALSE(has(exit.out, "--accounts FILE")) << exit.out;
}

TEST(OwnService, service_that_always_fails_is_tried_as_often_as_allowed) {
  const Exit exit = run_program({"--users", users_file("moody", {"root"}), "--latency", "0",
                                 "--failure-share", "1", "--retry-pause", "1ms", "--retries", "2"});
  EXPECT_EQ(exit.status, 1) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "root failed: the service answered 503, 3 tries")) << exit.out;
}

// Users whose fate is in their names.

TEST(Verification, as_many_as_needed_are_verified) {
  const FakeService service;
  const Exit exit = run_program({"--service", service.url(), "--need", "3", "--users",
                                 users_file("three", {"good1", "bad1", "good2", "bad2", "good3"})});
  EXPECT_EQ(exit.status, 0) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "Verified: 3 (3 needed)")) << exit.out;
}

TEST(Verification, fewer_than_needed_is_exit_status_1) {
  const FakeService service;
  const Exit exit = run_program(
      {"--service", service.url(), "--need", "3", "--users", users_file("two", {"good1", "bad1", "good2"})});
  EXPECT_EQ(exit.status, 1) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "Tasks: 2 succeeded, 1 failed, 0 skipped")) << exit.out;
  EXPECT_TRUE(has(exit.out, "bad1                 home is gone")) << exit.out;
}

TEST(Verification, condition_interrupts_the_running_and_skips_the_pending) {
  const FakeService service;
  const Exit exit =
      run_program({"--service", service.url(), "--max", "3", "--request-timeout", kForEver, "--users",
                   users_file("rest", {"slow1", "slow2", "good", "slow3", "slow4", "slow5", "slow6"})});
  EXPECT_EQ(exit.status, 0) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "Tasks: 1 succeeded, 0 failed, ")) << exit.out;
  EXPECT_TRUE(has(exit.out, "slow1                interrupted while waiting for the answer") ||
              has(exit.out, "slow1                interrupted before its checks") ||
              has(exit.out, "slow1                not asked"))
      << exit.out;
  EXPECT_TRUE(has(exit.out, "skipped pending") || has(exit.out, " skipped\n")) << exit.out;
}

TEST(Verification, service_that_fails_once_is_asked_again) {
  const FakeService service;
  const Exit exit = run_program(
      {"--service", service.url(), "--retry-pause", "1ms", "--users", users_file("flaky", {"flaky"})});
  EXPECT_EQ(exit.status, 0) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "flaky waits 1.0 ms: the service answered 503")) << exit.out;
  EXPECT_TRUE(has(exit.out, "2 tries")) << exit.out;
}

TEST(Verification, answers_that_make_no_sense_are_failures_and_not_asked_again) {
  const FakeService service;
  const Exit exit = run_program({"--service", service.url(), "--retry-pause", kForEver, "--users",
                                 users_file("odd", {"odd", "gone", "name with / and %41"})});
  EXPECT_EQ(exit.status, 0) << exit.out << exit.err;  // the third gets through, in spite of its name
  EXPECT_TRUE(has(exit.out, "  name with / and %41")) << exit.out;
}

TEST(Verification, odd_answers_are_reported) {
  const FakeService service;
  const Exit exit = run_program({"--service", service.url(), "--retry-pause", kForEver, "--users",
                                 users_file("told", {"odd", "gone"})});
  EXPECT_EQ(exit.status, 1) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "odd failed: the service answered something that is no verdict: <html>"))
      << exit.out;
  EXPECT_TRUE(has(exit.out, "gone failed: the service answered 404")) << exit.out;
}

TEST(Verification, never_more_users_at_once_than_max) {
  const FakeService service;
  std::vector<std::string> users;
  for (int i = 0; i < 30; ++i) users.push_back("good" + std::to_string(i));
  const Exit exit = run_program(
      {"--service", service.url(), "--max", "2", "--need", "30", "--users", users_file("many", users)});
  EXPECT_EQ(exit.status, 0) << exit.out << exit.err;
  EXPECT_LE(service.most_at_once(), 6U);  // three checks each
  EXPECT_GE(service.most_at_once(), 1U);
}

TEST(Verification, service_that_does_not_listen_is_a_failure_of_each_user) {
  const Exit exit = run_program({"--service", "http://127.0.0.1:1", "--retries", "1", "--retry-pause", "1ms",
                                 "--users", users_file("refused", {"root"})});
  EXPECT_EQ(exit.status, 1) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "no answer from http://127.0.0.1:1 (")) << exit.out;
}

TEST(Stopping, time_out_wakes_who_waits_for_an_answer) {
  const FakeService service;
  const Exit exit = run_program({"--service", service.url(), "--timeout", "100ms", "--request-timeout",
                                 kForEver, "--users", users_file("late", {"slow"})});
  EXPECT_EQ(exit.status, 1) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "Stopped: deadline at MainThread/Verifying Users: no time left after 100 ms"))
      << exit.out;
  EXPECT_TRUE(has(exit.out, "last task's exit:")) << exit.out;
}

// Ctrl-C at a moment when nothing else could end the program.
void expect_summary_after(int signal, Program& program, const std::string& line, const std::string& name) {
  ASSERT_TRUE(program.prints(line));
  program.send(signal);
  const Exit exit = program.wait();
  EXPECT_EQ(exit.status, 128 + signal) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "Stopped: signal")) << exit.out;
  EXPECT_TRUE(has(exit.out, name)) << exit.out;
  EXPECT_TRUE(has(exit.out, "Tasks: 0 succeeded, 0 failed, ")) << exit.out;
  EXPECT_TRUE(has(exit.out, "last task's exit:")) << exit.out;
}

TEST(Stopping, ctrl_c_wakes_who_sleeps_before_a_retry_and_the_summary_is_printed) {
  Program program({"--users", users_file("asleep", {"a", "b", "c"}), "--max", "2", "--latency", "0",
                   "--failure-share", "1", "--retry-pause", kForEver});
  expect_summary_after(SIGINT, program, "a waits 60 min", "SIGINT (Ctrl-C)");
}

TEST(Stopping, ctrl_c_wakes_who_waits_for_the_programs_own_service) {
  Program program({"--users", users_file("waiting", {"a", "b", "c"}), "--max", "2", "--latency", kForEver,
                   "--request-timeout", kForEver});
  expect_summary_after(SIGINT, program, "2 running, 1 pending", "SIGINT (Ctrl-C)");
}

TEST(Stopping, ctrl_c_wakes_who_waits_for_a_service_elsewhere) {
  const FakeService service;
  Program program({"--service", service.url(), "--users",
                   users_file("elsewhere", {"slow1", "slow2", "slow3"}), "--max", "2", "--request-timeout",
                   kForEver});
  expect_summary_after(SIGINT, program, "2 running, 1 pending", "SIGINT (Ctrl-C)");
}

TEST(Stopping, termination_is_reported_the_same_way) {
  Program program({"--users", users_file("term", {"a"}), "--latency", "0", "--failure-share", "1",
                   "--retry-pause", kForEver});
  expect_summary_after(SIGTERM, program, "a waits 60 min", "SIGTERM");
}

// A day in simulated time.

TEST(Simulated, day_passes_at_once_and_follows_from_the_seed) {
  const std::string team = file_with("day.csv", "user,home,login\nada,yes,yes\nbot,yes,no\nalan,,\n");
  const auto day = [&](const std::string& seed) {
    return run_program({"--simulated", "--users", team, "--accounts", team, "--need", "2", "--seed", seed});
  };
  const Exit exit = day("1");
  EXPECT_EQ(exit.status, 0) << exit.out << exit.err;
  EXPECT_EQ(exit.err, "");
  for (const char* const part :
       {"00:00:01\n", "checks of ada", "23:00  2 verified, ", "24:00  the day is over",
        "Verified: 2 (2 needed)", "last task's exit: 0 us"})
    EXPECT_TRUE(has(exit.out, part)) << part << '\n' << exit.out;
  EXPECT_EQ(day("1").out, exit.out);
  EXPECT_NE(day("2").out, exit.out);
}

// Bad input.

// In arguments and message, FILE means a file with that content.
struct BadCase {
  std::string name;
  std::vector<std::string> arguments;
  std::string message;
  std::string content = {};

  friend void PrintTo(const BadCase& bad, std::ostream* out) { *out << bad.name; }
};

std::string with_file(std::string text, const std::string& path) {
  const std::size_t at = text.find("FILE");
  return at == std::string::npos ? text : text.replace(at, 4, path);
}

class BadInputIsRefused : public testing::TestWithParam<BadCase> {};

TEST_P(BadInputIsRefused, with_exit_status_2_and_the_reason_on_stderr) {
  const std::string path = file_with(GetParam().name + ".csv", GetParam().content);
  std::vector<std::string> arguments;
  for (const std::string& argument : GetParam().arguments) arguments.push_back(with_file(argument, path));
  const Exit exit = run_program(arguments);
  EXPECT_EQ(exit.status, 2) << exit.out;
  EXPECT_EQ(exit.out, "");
  EXPECT_TRUE(exit.err.starts_with("verify_users: ")) << exit.err;
  EXPECT_TRUE(has(exit.err, with_file(GetParam().message, path))) << exit.err;
}

INSTANTIATE_TEST_SUITE_P(
    , BadInputIsRefused,
    testing::Values(
        BadCase{"missing_file", {"--users", "/nonexistent/users"}, "/nonexistent/users: cannot be opened"},
        BadCase{"folder", {"--users", "/"}, "/: is a directory"},
        BadCase{"empty_file", {"--users", "FILE"}, "FILE: the file is empty"},
        BadCase{
            "no_user_column", {"--users", "FILE"}, "FILE:1: no column is named 'user'", "id,name\n1,root\n"},
        BadCase{"malformed_line", {"--users", "FILE"}, "FILE:3: 1 fields", "id,user\n1,root\nbin\n"},
        BadCase{"duplicate_user",
                {"--users", "FILE"},
                "FILE:4: user 'root' again, first on line 2",
                "user\nroot\nbin\nroot\n"},
        BadCase{"open_quote", {"--users", "FILE"}, "FILE:2: a quote is opened here", "user\n\"root\n"},
        BadCase{"accounts_cell",
                {"--users", "/etc/passwd", "--accounts", "FILE"},
                "FILE:3: 'maybe' is neither yes nor no",
                "user,login\nada,yes\nbot,maybe\n"},
        BadCase{"accounts_elsewhere",
                {"--service", "http://127.0.0.1:1", "--accounts", "FILE"},
                "--accounts: a service elsewhere",
                "user\nada\n"},
        BadCase{"simulated_elsewhere",
                {"--service", "http://127.0.0.1:1", "--simulated"},
                "--simulated: the service"},
        BadCase{"url_without_scheme", {"--service", "localhost:80"}, "'localhost:80' is not a service URL"},
        BadCase{"timeout", {"--timeout", "soon"}, "--timeout: 'soon' is not a duration"},
        BadCase{"latency", {"--latency", "3s-2s"}, "--latency: '3s-2s' goes from the longer to the shorter"},
        BadCase{"request_timeout", {"--request-timeout", "0"}, "--request-timeout: "},
        BadCase{"max", {"--max", "0"}, "--max"}, BadCase{"need", {"--need", "0"}, "--need"},
        BadCase{"failure_share", {"--failure-share", "1.5"}, "--failure-share"},
        BadCase{"unknown_option", {"--frobnicate"}, "--frobnicate"},
        BadCase{"stray_argument", {"root"}, "root"}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(BadInput, malformed_passwd_line_is_named) {
  const std::string path = file_with("passwd", "root:x:0:0:root:/root:/bin/bash\nbin:x:2\n");
  const Exit exit = run_program({"--users", path});
  EXPECT_EQ(exit.status, 2) << exit.out;
  EXPECT_EQ(exit.err,
            "verify_users: " + path + ":2: a passwd line has 7 fields separated by ':', this one has 3\n");
}

TEST(CommandLine, help_is_no_error) {
  const Exit exit = run_program({"--help"});
  EXPECT_EQ(exit.status, 0);
  EXPECT_TRUE(has(exit.out, "--failure-share")) << exit.out;
}

// `./dev demo --help` prints this file, because the program may not be built yet.
TEST(CommandLine, help_is_also_in_a_file) {
  std::ifstream file(VERIFY_USERS_HELP);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, run_program({"--help"}).out) << "write it again: verify_users --help > help.txt";
}

}  // namespace
}  // namespace verify_users
