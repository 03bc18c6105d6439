// SPDX-License-Identifier: Apache-2.0
// Tests of users.hpp, and through it of csv.hpp.
#include "users.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "expect_bad_input.hpp"

namespace verify_users {
namespace {

using Names = std::vector<std::string>;

std::string complaint_about(const std::string& text, const std::string& file = "u") {
  return complaint_of([&] { parse_users(text, file); });
}

TEST(PasswdFile, users_come_in_the_order_of_the_file) {
  EXPECT_EQ(parse_users("root:x:0:0:root:/root:/bin/bash\nbin:x:2:2:bin:/bin:/usr/sbin/nologin\n", "passwd"),
            (Names{"root", "bin"}));
}

TEST(PasswdFile, comments_blank_lines_and_network_entries_are_passed_over) {
  EXPECT_EQ(parse_users("# local\n\nroot:x:0:0::/root:/bin/sh\n+::::::\n-guest\n", "passwd"), Names{"root"});
}

TEST(PasswdFile, last_line_needs_no_line_end_and_carriage_returns_do_no_harm) {
  EXPECT_EQ(parse_users("root:x:0:0::/root:/bin/sh\r\nbin:x:2:2:::", "passwd"), (Names{"root", "bin"}));
}

TEST(PasswdFile, commas_in_the_full_name_do_not_make_it_csv) {
  EXPECT_EQ(parse_users("pg:x:101:104:PostgreSQL administrator,,,:/var:/bin/bash\n", "passwd"), Names{"pg"});
}

TEST(PasswdFile, wrong_number_of_fields_names_file_and_line) {
  EXPECT_EQ(complaint_about("root:x:0:0::/root:/bin/sh\n\nbin:x:2:2\n", "/etc/passwd"),
            "/etc/passwd:3: a passwd line has 7 fields separated by ':', this one has 4");
}

TEST(PasswdFile, ids_are_numbers) {
  EXPECT_EQ(complaint_about("root:x:zero:0::/root:/bin/sh\n"), "u:1: the user id 'zero' is not a number");
  EXPECT_EQ(complaint_about("root:x:0:-1::/root:/bin/sh\n"), "u:1: the group id '-1' is not a number");
}

TEST(PasswdFile, user_without_name_is_bad_input) {
  EXPECT_EQ(complaint_about("root:x:0:0:::\n:x:1:1:::\n"), "u:2: the user's name is empty");
}

TEST(PasswdFile, user_named_twice_is_bad_input_that_names_both_lines) {
  EXPECT_EQ(complaint_about("a:x:0:0:::\nb:x:1:1:::\na:x:2:2:::\n"), "u:3: user 'a' again, first on line 1");
}

TEST(PasswdFile, only_comments_are_no_users) {
  EXPECT_EQ(complaint_about("# no user here:\n+::::::\n"), "u: no users in this file");
}

TEST(CsvFile, user_column_is_found_by_its_name) {
  EXPECT_EQ(parse_users("id,user,team\n1,root,ops\n2,bin,none\n", "u.csv"), (Names{"root", "bin"}));
  EXPECT_EQ(parse_users("user\nroot\n", "u"), Names{"root"});
}

TEST(CsvFile, quoted_fields_hold_commas_quotes_and_line_breaks) {
  EXPECT_EQ(parse_users("note,user\n\"a, \"\"b\"\"\nc\",\"root\"\n,\"o\"\"neil\"\n", "u.csv"),
            (Names{"root", "o\"neil"}));
}

TEST(CsvFile, header_may_be_quoted_and_padded) {
  EXPECT_EQ(parse_users("\"id\", user \r\n1, root \r\n", "u.csv"), Names{"root"});
}

TEST(CsvFile, byte_order_mark_blank_lines_and_missing_last_line_end_do_no_harm) {
  EXPECT_EQ(parse_users("\xEF\xBB\xBFuser,x\n\n\r\nroot,1\r\nbin,2\r", "u.csv"), (Names{"root", "bin"}));
}

TEST(CsvFile, colon_in_the_header_does_not_make_it_passwd) {
  EXPECT_EQ(parse_users("user,time: local\nroot,1\n", "u"), Names{"root"});
  EXPECT_EQ(parse_users("x:y,user\n1,root\n", "u.csv"), Names{"root"});
}

TEST(CsvFile, without_a_user_column_the_message_says_what_there_is) {
  EXPECT_EQ(
      complaint_about("\nid,name\n1,root\n", "people.csv"),
      "people.csv:2: no column is named 'user', only: id, name (neither a CSV header nor a passwd line)");
}

TEST(CsvFile, two_user_columns_are_bad_input) {
  EXPECT_EQ(complaint_about("user,user\n1,2\n"), "u:1: two columns are named 'user'");
}

TEST(CsvFile, record_of_another_length_names_file_and_line) {
  EXPECT_EQ(complaint_about("user,id\nroot,1\nbin\n"), "u:3: 1 fields, but the header names 2");
}

TEST(CsvFile, lines_are_counted_through_quoted_line_breaks) {
  EXPECT_EQ(complaint_about("user,note\nroot,\"a\nb\nc\"\nbin\n"), "u:5: 1 fields, but the header names 2");
}

TEST(CsvFile, quote_that_is_never_closed_names_the_line_where_it_was_opened) {
  EXPECT_EQ(complaint_about("user\nroot\n\"bin\nsys\n"), "u:3: a quote is opened here and never closed");
}

TEST(CsvFile, text_beside_quotes_is_bad_input) {
  EXPECT_EQ(complaint_about("user\n\"ro\"ot\n"), "u:2: text after the closing quote of a field");
  EXPECT_EQ(complaint_about("user\nro\"ot\"\n"), "u:2: a quote inside a field that does not begin with one");
}

TEST(CsvFile, user_named_twice_is_bad_input_that_names_both_lines) {
  EXPECT_EQ(complaint_about("user\nroot\nbin\n\nroot\n"), "u:5: user 'root' again, first on line 2");
}

TEST(CsvFile, empty_name_is_bad_input) {
  EXPECT_EQ(complaint_about("user,id\n ,1\n"), "u:2: the user's name is empty");
}

TEST(CsvFile, control_character_in_a_name_is_bad_input) {
  EXPECT_EQ(complaint_about("user\nro\x1b[2Jot\n"), "u:2: the user's name holds a control character");
}

TEST(CsvFile, header_alone_is_no_users) { EXPECT_EQ(complaint_about("user\n"), "u: no users in this file"); }

TEST(UsersFile, empty_file_is_bad_input) {
  EXPECT_EQ(complaint_about(""), "u: the file is empty");
  EXPECT_EQ(complaint_about(" \n\r\n"), "u: the file is empty");
}

TEST(UsersFile, file_that_is_not_there_says_why) {
  EXPECT_EQ(complaint_of([] { read_users("/nonexistent/users"); }),
            "/nonexistent/users: cannot be opened: No such file or directory");
}

TEST(UsersFile, directory_is_no_file) {
  EXPECT_EQ(complaint_of([] { read_users("/"); }), "/: is a directory");
}

TEST(UsersFile, this_machines_passwd_is_read) {
  const Names users = read_users("/etc/passwd");
  EXPECT_NE(std::ranges::find(users, "root"), users.end());
}

}  // namespace
}  // namespace verify_users
