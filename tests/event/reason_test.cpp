// SPDX-License-Identifier: Apache-2.0
// Reasons and exceptions in words.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include <threadgroup/reason.hpp>

namespace tg {
namespace reason_test {
namespace {

TEST(ReasonKind, has_a_name_for_each_kind) {
  EXPECT_STREQ(to_string(ReasonKind::requested), "requested");
  EXPECT_STREQ(to_string(ReasonKind::condition_met), "condition_met");
  EXPECT_STREQ(to_string(ReasonKind::failure), "failure");
  EXPECT_STREQ(to_string(ReasonKind::deadline), "deadline");
  EXPECT_STREQ(to_string(ReasonKind::destroyed), "destroyed");
  EXPECT_STREQ(to_string(ReasonKind::signal), "signal");
  EXPECT_STREQ(to_string(ReasonKind::draining), "draining");
  EXPECT_STREQ(to_string(static_cast<ReasonKind>(99)), "unknown");
}

TEST(Reason, str_of_a_bare_one_is_its_kind) { EXPECT_EQ(Reason{}.str(), "requested"); }

TEST(Reason, str_says_kind_place_task_message_and_source) {
  Reason reason;
  reason.kind = ReasonKind::condition_met;
  reason.origin_path = "MainThread/Verifying Users";
  reason.task = "user 17";
  reason.message = "enough users";
  reason.where = SourceLocation{"/home/me/src/main.cpp", "main", 42};
  EXPECT_EQ(reason.str(),
            "condition_met at MainThread/Verifying Users by task 'user 17': enough users (main.cpp:42)");
}

TEST(Reason, str_shows_a_file_without_a_folder) {
  Reason reason;
  reason.where = SourceLocation{"main.cpp", "main", 1};
  EXPECT_EQ(reason.str(), "requested (main.cpp:1)");
}

TEST(Reason, str_tells_the_exception_once) {
  Reason reason;
  reason.kind = ReasonKind::failure;
  reason.exception = std::make_exception_ptr(std::runtime_error("disk full"));
  EXPECT_EQ(reason.str(), "failure: disk full");
  reason.message = "writing: disk full";
  EXPECT_EQ(reason.str(), "failure: writing: disk full");
  reason.message = "writing";
  EXPECT_EQ(reason.str(), "failure: writing: disk full");
}

TEST(DescribeException, says_what_a_standard_exception_says) {
  EXPECT_EQ(describe_exception(std::make_exception_ptr(std::logic_error("oops"))), "oops");
}

struct NotStandard {};

TEST(DescribeException, names_the_type_of_any_other) {
  EXPECT_EQ(describe_exception(std::make_exception_ptr(7)), "an exception of type int");
  EXPECT_EQ(describe_exception(std::make_exception_ptr(std::string("x"))),
            "an exception of type std::string");
  EXPECT_NE(describe_exception(std::make_exception_ptr(NotStandard{})).find("NotStandard"),
            std::string::npos);
}

TEST(DescribeException, says_so_when_there_is_none) {
  EXPECT_EQ(describe_exception(nullptr), "no exception");
}

TEST(SourceLocation, is_that_of_the_call) {
  const SourceLocation here = SourceLocation::current();
  EXPECT_EQ(here.line, static_cast<std::uint32_t>(__LINE__ - 1));
  EXPECT_NE(std::string(here.file).find("reason_test.cpp"), std::string::npos);
}

TEST(GroupId, compares_by_value) {
  EXPECT_EQ(GroupId{1}, GroupId{1});
  EXPECT_LT(GroupId{1}, GroupId{2});
  EXPECT_EQ(GroupId{}.value, 0u);
}

}  // namespace
}  // namespace reason_test
}  // namespace tg
