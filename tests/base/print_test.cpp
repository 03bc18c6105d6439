// SPDX-License-Identifier: Apache-2.0
// How values of all kinds are printed, in results and in the texts of a vault.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <threadgroup/print.hpp>

namespace print_test {
namespace {

struct Streamed {
  int x = 0;
};
std::ostream& operator<<(std::ostream& out, const Streamed& s) { return out << "S" << s.x; }
struct Unprintable {};
struct Custom {};
enum class Colour { red };

using tg::detail::printed;

}  // namespace
}  // namespace print_test

template <>
struct tg::Printer<print_test::Custom> {
  static void print(std::string& out, const print_test::Custom&) { out += "custom"; }
};

namespace print_test {
namespace {

TEST(print, numbers_print_as_short_as_they_read_back) {
  EXPECT_EQ(printed(1), "1");
  EXPECT_EQ(printed(-7L), "-7");
  EXPECT_EQ(printed(18446744073709551615ULL), "18446744073709551615");
  EXPECT_EQ(printed(3.14), "3.14");
  EXPECT_EQ(printed(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(printed(static_cast<std::uint8_t>(65)), "65");
}

TEST(print, strings_are_bare_and_bools_are_words) {
  EXPECT_EQ(printed(std::string("text")), "text");
  EXPECT_EQ(printed("literal"), "literal");
  EXPECT_EQ(printed(static_cast<const char*>(nullptr)), "nullptr");
  EXPECT_EQ(printed('c'), "c");
  EXPECT_EQ(printed(true), "true");
  EXPECT_EQ(printed(false), "false");
}

TEST(print, tuples_and_pairs_print_their_parts) {
  EXPECT_EQ(printed(std::tuple(1, true)), "(1, true)");
  EXPECT_EQ(printed(std::pair(std::string("a"), 2.5)), "(a, 2.5)");
  EXPECT_EQ(printed(std::tuple<>()), "()");
  EXPECT_EQ(printed(std::tuple(1, std::tuple(2, Unprintable{}))),
            "(1, (2, print_test::(anonymous namespace)::Unprintable))");
}

TEST(print, ranges_print_their_elements) {
  EXPECT_EQ(printed(std::vector{1, 2, 3}), "[1, 2, 3]");
  EXPECT_EQ(printed(std::vector{true, false}), "[true, false]");
  EXPECT_EQ(printed(std::vector<int>()), "[]");
  EXPECT_EQ(printed(std::array{std::string("a"), std::string("b")}), "[a, b]");
  EXPECT_EQ(printed(std::set{2, 1}), "{1, 2}");
  EXPECT_EQ(printed(std::map<std::string, int>{{"a", 1}, {"b", 2}}), "{a: 1, b: 2}");
}

TEST(print, optionals_print_what_they_hold) {
  EXPECT_EQ(printed(std::optional(5)), "5");
  EXPECT_EQ(printed(std::optional<int>()), "nullopt");
}

TEST(print, what_a_stream_can_print_is_streamed) {
  EXPECT_EQ(printed(Streamed{4}), "S4");
  EXPECT_EQ(printed(std::vector{Streamed{1}, Streamed{2}}), "[S1, S2]");
  EXPECT_EQ(printed(std::filesystem::path("/tmp")), "\"/tmp\"");  // and is not taken for an endless range
}

TEST(print, a_printer_of_the_users_goes_first) { EXPECT_EQ(printed(Custom{}), "custom"); }

TEST(print, what_cannot_be_printed_shows_its_type) {
  EXPECT_EQ(printed(Unprintable{}), "print_test::(anonymous namespace)::Unprintable");
  EXPECT_EQ(printed(Colour::red), "print_test::(anonymous namespace)::Colour");
  EXPECT_EQ(printed(&printed<int>).find("0x"), std::string::npos);
}

// Containers of other libraries may be gone through value by value.
struct MapOfValues {
  using key_type = int;
  using mapped_type = std::string;
  std::vector<std::string> values;
  auto begin() const { return values.begin(); }
  auto end() const { return values.end(); }
};

TEST(print, map_that_is_gone_through_by_value_shows_its_values) {
  EXPECT_EQ(tg::detail::printed(MapOfValues{{"a", "b"}}), "{a, b}");
}

}  // namespace
}  // namespace print_test
