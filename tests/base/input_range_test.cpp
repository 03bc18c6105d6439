// SPDX-License-Identifier: Apache-2.0
// What counts as a range: what a range-based `for` takes, as std::ranges::input_range says it, too.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <ranges>
#include <span>
#include <string>
#include <valarray>
#include <vector>

#include <threadgroup/detail/input_range.hpp>

namespace input_range_test {
namespace {

// Functions of the elements' namespace that fit every container, as some libraries have them.
namespace generic {
struct Element {};
template <class C>
auto begin(C& c) {
  return c.begin();
}
template <class C>
auto end(C& c) {
  return c.end();
}
}  // namespace generic

namespace found_by_argument {
struct Range {
  int values[3];
};
inline int* begin(Range& range) { return range.values; }
inline int* end(Range& range) { return range.values + 3; }
}  // namespace found_by_argument

struct OnlyWhenNotConstant {
  int* begin() { return nullptr; }
  int* end() { return nullptr; }
};

template <class R>
constexpr bool same_as_standard() {
  return tg::detail::InputRange<R> == std::ranges::input_range<R>;
}

TEST(InputRange, is_what_the_standard_calls_one) {
  static_assert(same_as_standard<std::vector<int>>() && same_as_standard<const std::vector<int>&>());
  static_assert(same_as_standard<std::vector<bool>&>() && same_as_standard<std::string>());
  static_assert(same_as_standard<int(&)[3]>() && same_as_standard<const int(&)[3]>());
  static_assert(same_as_standard<int*>() && same_as_standard<int>() && same_as_standard<void>());
  static_assert(same_as_standard<std::initializer_list<int>>() && same_as_standard<std::span<int>>());
  static_assert(same_as_standard<std::map<int, int>&>() && same_as_standard<const std::valarray<int>&>());
  static_assert(same_as_standard<std::filesystem::directory_iterator>());
#if !defined(__clang__)  // 14 cannot compile the views of libstdc++
  using Filtered = decltype(std::views::iota(0) | std::views::filter([](int i) { return i > 0; }));
  static_assert(same_as_standard<decltype(std::views::iota(0, 5))>());
  static_assert(same_as_standard<Filtered&>() && same_as_standard<const Filtered&>());
#endif
  static_assert(same_as_standard<OnlyWhenNotConstant&>() && same_as_standard<const OnlyWhenNotConstant&>());
  static_assert(same_as_standard<found_by_argument::Range&>());
  static_assert(same_as_standard<const found_by_argument::Range&>());
  EXPECT_TRUE(tg::detail::InputRange<std::vector<int>>);
}

TEST(InputRange, members_come_before_functions_that_fit_everything) {
  EXPECT_TRUE(tg::detail::InputRange<std::vector<generic::Element>&>);
  EXPECT_TRUE((tg::detail::InputRange<std::array<generic::Element, 2>>));
  EXPECT_TRUE(tg::detail::InputRange<std::span<generic::Element>>);
}

TEST(InputRange, reference_and_value_are_those_of_the_iterator) {
  EXPECT_TRUE((std::is_same_v<tg::detail::RangeReference<const std::vector<int>>, const int&>));
  EXPECT_TRUE((std::is_same_v<tg::detail::RangeValue<std::vector<bool>>, bool>));
}

}  // namespace
}  // namespace input_range_test
