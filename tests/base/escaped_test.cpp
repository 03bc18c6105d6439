// SPDX-License-Identifier: Apache-2.0
// What a terminal must not receive is shown as escapes, and the rest as it is.
#include <gtest/gtest.h>

#include <string>

#include "base/escaped.hpp"

namespace tg::inline v0::detail {
namespace escaped_test {
namespace {

using namespace std::string_literals;

TEST(Escaped, plain_text_and_other_scripts_stay_as_they_are) {
  for (const std::string text :
       {"", "fetch 17", "C:\\temp\\x", "it's \"quoted\"", "Grüße, мир, 世界, 🙂", "e\u0301 \u200d"})
    EXPECT_EQ(escaped(text), text);
}

TEST(Escaped, control_characters_are_shown) {
  EXPECT_EQ(escaped("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(escaped("\x1b[2J\x07\x7f"), "\\x1b[2J\\x07\\x7f");
  EXPECT_EQ(escaped("a\0b"s), "a\\x00b");
  EXPECT_EQ(escaped("\u0085 \u009b31m"), "\\u0085 \\u009b31m");
}

TEST(Escaped, what_separates_lines_or_turns_the_direction_is_shown) {
  EXPECT_EQ(escaped("\u2028\u2029"), "\\u2028\\u2029");
  EXPECT_EQ(escaped("\u202etxt.exe\u202c\u2066\u2069\u200e\u200f\u061c"),
            "\\u202etxt.exe\\u202c\\u2066\\u2069\\u200e\\u200f\\u061c");
}

TEST(Escaped, bytes_that_are_not_utf8_are_shown_each) {
  EXPECT_EQ(escaped("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(escaped("caf\xe9!"), "caf\\xe9!");  // Latin-1
  EXPECT_EQ(escaped("\x9b"
                    "31m"),
            "\\x9b31m");                                           // a bare C1 byte
  EXPECT_EQ(escaped("\xc0\x8a"), "\\xc0\\x8a");                    // a newline, too long
  EXPECT_EQ(escaped("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");           // likewise
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above the last one
  EXPECT_EQ(escaped("\xe4\xb8"), "\\xe4\\xb8");                    // cut off
  EXPECT_EQ(escaped("\xe4\xb8z"), "\\xe4\\xb8z");
}

TEST(Escaped, doing_it_twice_changes_nothing) {
  const std::string once = escaped("a\n\x1b\xff\u202e\\");
  EXPECT_EQ(escaped(once), once);
}

TEST(Mended, utf8_stays_as_it_is) {
  for (const std::string text :
       {"", "fetch 17", "a\nb\t\x1b", "Grüße, мир, 世界, 🙂", "\u202e \uFFFD"})
    EXPECT_EQ(mended(text), text);
}

TEST(Mended, zeros_and_bytes_that_are_not_utf8_are_replaced_each) {
  EXPECT_EQ(mended("a\0b"s), "a\uFFFDb");
  EXPECT_EQ(mended("caf\xe9!"), "caf\uFFFD!");
  EXPECT_EQ(mended("\xff\xfe"), "\uFFFD\uFFFD");
  EXPECT_EQ(mended("\xc0\x80"), "\uFFFD\uFFFD");            // a zero, too long
  EXPECT_EQ(mended("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(mended("\xe4\xb8"), "\uFFFD\uFFFD");            // cut off
  EXPECT_EQ(mended("\xe4\xb8z"), "\uFFFD\uFFFDz");          // cut off in the middle
}

}  // namespace
}  // namespace escaped_test
}  // namespace tg::inline v0::detail
