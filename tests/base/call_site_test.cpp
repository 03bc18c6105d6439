// SPDX-License-Identifier: Apache-2.0
// Places in the source as small numbers.
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/detail/call_site.hpp>

namespace tg::inline v0::detail {
namespace call_site_test {
namespace {

SourceLocation at(std::uint32_t line) { return {"/some/folder/main.cpp", "", line}; }

TEST(CallSite, has_file_and_line) {
  const SourceLocation here = SourceLocation::current();
  const CallSite place(here);
  EXPECT_STREQ(place.location().file, here.file);
  EXPECT_EQ(place.location().line, here.line);
  EXPECT_EQ(CallSite::from_number(place.number()).location().line, here.line);
  EXPECT_LT(place.number(), 1 << 15);
}

TEST(CallSite, is_one_number_however_often_it_turns_up) {
  EXPECT_EQ(CallSite(at(3)).number(), CallSite(at(3)).number());
  EXPECT_NE(CallSite(at(3)).number(), CallSite(at(4)).number());
}

TEST(CallSite, is_unknown_without_a_line_or_with_one_that_is_too_large) {
  EXPECT_EQ(CallSite().number(), 0);
  EXPECT_EQ(CallSite(SourceLocation{}).number(), 0);
  EXPECT_EQ(CallSite(at(70'000)).number(), 0);
  for (int offset = 0; offset < 2; ++offset)  // the address of a name may be odd
    EXPECT_EQ(CallSite({&"xmain.cpp"[offset], "", 65'536 + 100}).number(), 0);
  EXPECT_EQ(CallSite().location().line, 0u);
  EXPECT_EQ(to_string(CallSite().location()), "");
}

TEST(CallSite, text_is_short) { EXPECT_EQ(to_string(CallSite(at(42)).location()), "main.cpp:42"); }

TEST(CallSite, is_the_same_for_threads_that_come_at_once) {
  for (std::uint32_t line = 100; line < 200; ++line) {
    std::vector<std::uint16_t> numbers(3);
    std::vector<std::thread> threads;
    for (std::uint16_t& number : numbers)
      threads.emplace_back([&number, line] { number = CallSite(at(line)).number(); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(numbers[0], numbers[1]);
    EXPECT_EQ(numbers[0], numbers[2]);
  }
}

TEST(CallSite, more_of_them_than_fit_are_unknown_and_the_others_stay) {
  const std::uint16_t first = CallSite(at(1)).number();
  bool full = false;
  for (std::uint32_t line = 1; line < 60'000; ++line) {
    const CallSite place(at(line));
    if (place.number() == 0) full = true;
    else EXPECT_EQ(place.location().line, line);
  }
  EXPECT_TRUE(full);
  EXPECT_EQ(CallSite(at(1)).number(), first);
  EXPECT_EQ(CallSite(at(1)).location().line, 1u);
}

}  // namespace
}  // namespace call_site_test
}  // namespace tg::inline v0::detail
