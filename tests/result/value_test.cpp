// SPDX-License-Identifier: Apache-2.0
// Values of any type.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <threadgroup/print_fmt.hpp>
#include <threadgroup/results.hpp>

namespace value_test {
namespace {
struct OnlyFmt {
  int x = 0;
};
}  // namespace
}  // namespace value_test

template <>
struct fmt::formatter<value_test::OnlyFmt> : fmt::formatter<int> {
  template <class Context>
  auto format(const value_test::OnlyFmt& value, Context& context) const {
    return fmt::format_to(context.out(), "fmt:{}", value.x);
  }
};

namespace value_test {
namespace {

TEST(value, prints_what_it_holds) {
  EXPECT_EQ(tg::Value::of("literal").str(), "literal");
  EXPECT_EQ(tg::Value::of(std::vector{1, 2}).str(), "[1, 2]");
}

TEST(value, of_a_type_that_only_fmt_can_print_needs_the_opt_in_header) {
  EXPECT_EQ(tg::Value::of(OnlyFmt{3}).str(), "fmt:3");
}

TEST(value, of_nothing_prints_as_void) {
  EXPECT_EQ(tg::Value().str(), "void");
  EXPECT_FALSE(tg::Value().has_value());
  EXPECT_EQ(tg::Value().try_as<int>(), nullptr);
  EXPECT_EQ(tg::Value().type_name(), "void");
}

TEST(value, is_seen_only_as_the_type_that_it_has) {
  const tg::Value value = tg::Value::of(std::string("x"));
  ASSERT_NE(value.try_as<std::string>(), nullptr);
  EXPECT_EQ(*value.try_as<std::string>(), "x");
  EXPECT_EQ(value.try_as<int>(), nullptr);
  EXPECT_EQ(value.type_name(), "std::string");
}

TEST(value, holds_what_can_only_be_moved) {
  const tg::Value value = tg::Value::of(std::make_unique<int>(7));
  ASSERT_NE(value.try_as<std::unique_ptr<int>>(), nullptr);
  EXPECT_EQ(**value.try_as<std::unique_ptr<int>>(), 7);
}

}  // namespace
}  // namespace value_test
