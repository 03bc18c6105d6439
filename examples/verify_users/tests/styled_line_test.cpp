// SPDX-License-Identifier: Apache-2.0
// Tests of styled_line.hpp.
#include "styled_line.hpp"

#include <gtest/gtest.h>

#include <clocale>

namespace verify_users {
namespace {

// Debian's C library brings C.UTF-8 along.
class Utf8 : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(std::setlocale(LC_CTYPE, "C.UTF-8"), nullptr); }
  void TearDown() override { std::setlocale(LC_CTYPE, "C"); }
};

TEST_F(Utf8, columns_are_counted_not_bytes) {
  EXPECT_EQ(columns_of("abc"), 3U);
  EXPECT_EQ(columns_of("├─ é"), 4U);
  EXPECT_EQ(columns_of("日本"), 4U);
}

TEST_F(Utf8, text_is_cut_between_characters) {
  EXPECT_EQ(fitting("é├─x", 2), "é├");
  EXPECT_EQ(fitting("日本", 3), "日");
  EXPECT_EQ(fitting("abc", 0), "");
}

TEST_F(Utf8, broken_and_control_characters_become_question_marks) {
  EXPECT_EQ(fitting("a\xff"
                    "b\x1b[2Jc\n",
                    20),
            "a?b?[2Jc?");
  EXPECT_EQ(fitting("\xe6\x97", 20), "??");
}

TEST(StyledLine, in_the_plain_locale_other_bytes_become_question_marks) {
  EXPECT_EQ(fitting("a\xc3\xa9", 20), "a??");
}

TEST(StyledLine, is_cut_to_the_width_and_every_style_is_ended) {
  StyledLine line;
  line.add("ab").add("cdef", Style::green).add("gh", Style::bold);
  EXPECT_EQ(line.render(100, false), "abcdefgh");
  EXPECT_EQ(line.render(4, false), "abcd");
  EXPECT_EQ(line.render(4, true), "ab\x1b[32mcd\x1b[0m");
  EXPECT_EQ(line.render(7, true), "ab\x1b[32mcdef\x1b[0m\x1b[1mg\x1b[0m");
}

TEST(StyledLine, padding_reaches_the_column_and_never_cuts) {
  EXPECT_EQ(StyledLine().add("ab").pad_to(4).add("c").render(100, false), "ab  c");
  EXPECT_EQ(StyledLine().add("abcdef").pad_to(4).render(100, false), "abcdef");
}

}  // namespace
}  // namespace verify_users
