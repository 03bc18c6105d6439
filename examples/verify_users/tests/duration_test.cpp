// SPDX-License-Identifier: Apache-2.0
// Tests of duration.hpp.
#include "duration.hpp"

#include <gtest/gtest.h>

#include "expect_bad_input.hpp"

namespace verify_users {
namespace {

using namespace std::chrono_literals;

TEST(Duration, number_without_unit_counts_seconds) {
  EXPECT_EQ(parse_duration("600"), 600s);
  EXPECT_EQ(parse_duration("0"), 0s);
}

TEST(Duration, units_are_milliseconds_seconds_minutes_hours) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("600s"), 600s);
  EXPECT_EQ(parse_duration("10m"), 10min);
  EXPECT_EQ(parse_duration("10min"), 10min);
  EXPECT_EQ(parse_duration("2h"), 2h);
}

TEST(Duration, fractions_are_taken) {
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration(".25s"), 250ms);
}

TEST(Duration, anything_else_is_bad_input_that_is_quoted) {
  for (const char* text :
       {"", "s", "ten", "-1s", "+1s", "1 s", "1e3", "inf", "nan", "1.2.3", "10x", "10sm", " 1"}) {
    EXPECT_NE(
        complaint_of([&] { parse_duration(text); }).find('\'' + std::string(text) + "' is not a duration"),
        std::string::npos)
        << text;
  }
}

TEST(Duration, too_long_is_bad_input_not_an_overflow) {
  EXPECT_EQ(complaint_of([] { parse_duration("99999999999999999999h"); }),
            "'99999999999999999999h' is too long a duration");
  EXPECT_EQ(parse_duration("100000000h"), 100'000'000h);
}

TEST(Duration, is_printed_in_the_unit_that_suits) {
  EXPECT_EQ(format_duration(0ns), "0 us");
  EXPECT_EQ(format_duration(840us), "840 us");
  EXPECT_EQ(format_duration(12'340us), "12.3 ms");
  EXPECT_EQ(format_duration(500ms), "500 ms");
  EXPECT_EQ(format_duration(4567ms), "4.57 s");
  EXPECT_EQ(format_duration(75s), "75 s");
  EXPECT_EQ(format_duration(10min), "10 min");
}

}  // namespace
}  // namespace verify_users
