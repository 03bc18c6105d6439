// SPDX-License-Identifier: Apache-2.0
// The names of types.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include <threadgroup/detail/type_name.hpp>

namespace type_name_test {
namespace {

using tg::detail::type_name;

TEST(type_name, is_written_as_in_the_source) {
  EXPECT_EQ(type_name(typeid(int)), "int");
  EXPECT_EQ(type_name(typeid(std::vector<int>)), "std::vector<int, std::allocator<int> >");
}

TEST(type_name, of_a_string_is_the_short_one_wherever_it_appears) {
  EXPECT_EQ(type_name(typeid(std::string)), "std::string");
  const std::string name = type_name(typeid(std::map<std::string, std::string>));
  EXPECT_EQ(name.find("std::map<std::string, std::string, std::less<std::string >"), 0U) << name;
}

}  // namespace
}  // namespace type_name_test
