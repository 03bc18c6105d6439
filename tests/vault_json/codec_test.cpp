// SPDX-License-Identifier: Apache-2.0
// load(save(x)) == x, at the edges of each type and for random values.
#include <gtest/gtest.h>

#include <cstdint>
#include <forward_list>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>

#include "fuzz/round_trip.hpp"

#include <threadgroup/vault_json.hpp>

namespace users {
enum class Level : unsigned char { low, high };
enum class Named { first, second };
NLOHMANN_JSON_SERIALIZE_ENUM(Named, {{Named::first, "first"}, {Named::second, "second"}})
}  // namespace users

namespace codec_test {
namespace {

using tg::fuzz::comes_back;
using tg::fuzz::loaded;
using tg::fuzz::refuses;
using tg::fuzz::saved;

template <class T>
class JsonInteger : public ::testing::Test {};
using Integers = ::testing::Types<char, signed char, unsigned char, short, unsigned short, int, unsigned,
                                  long, unsigned long, long long, unsigned long long, wchar_t, char16_t>;
TYPED_TEST_SUITE(JsonInteger, Integers);

TYPED_TEST(JsonInteger, comes_back_at_the_edges_of_its_type) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  for (const T value : {Limits::min(), static_cast<T>(Limits::min() + 1), static_cast<T>(-1), T{0}, T{1},
                        static_cast<T>(Limits::max() - 1), Limits::max()}) {
    EXPECT_TRUE(comes_back(value)) << static_cast<long long>(value);
    EXPECT_TRUE(comes_back(std::vector<T>{value, value}));
  }
}

TYPED_TEST(JsonInteger, is_refused_beyond_the_edges_of_its_type) {
  using T = TypeParam;
  __extension__ using Wide = __int128;
  const auto text = [](Wide number) {
    std::string digits;
    const bool negative = number < 0;
    for (Wide rest = negative ? -number : number; rest > 0; rest /= 10)
      digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
    return negative ? "-" + digits : digits;
  };
  const auto lowest = static_cast<Wide>(std::numeric_limits<T>::min());
  const auto highest = static_cast<Wide>(std::numeric_limits<T>::max());
  for (const Wide number : {lowest - 1, highest + 1, lowest - (highest - lowest), lowest * 2 - 2,
                            highest * 2 + 1, highest * 2 + 2}) {
    EXPECT_TRUE(refuses([&] { loaded<T>(text(number)); })) << text(number);
    EXPECT_TRUE(refuses([&] { loaded<std::vector<T>>("[0, " + text(number) + "]"); })) << text(number);
  }
  for (const char* wrong :
       {"1e300", "-1e300", "1e19", "-1e19", "0.5", "1.0000000001", "true", "\"1\"", "null", "[]"})
    EXPECT_TRUE(refuses([&] { loaded<T>(wrong); })) << wrong;
  EXPECT_EQ(loaded<T>("1.0"), T{1});
  EXPECT_EQ(loaded<T>("1e2"), T{100});
}

TEST(JsonCodec, the_damaged_integers_of_old_are_refused) {
  EXPECT_TRUE(refuses([] { loaded<std::uint64_t>("-1"); }));
  EXPECT_TRUE(refuses([] { loaded<std::int64_t>("9223372036854775808"); }));
  EXPECT_TRUE(refuses([] { loaded<std::int64_t>("-9223372036854775809"); }));  // nlohmann-json reads a double
  EXPECT_TRUE(refuses([] { loaded<std::int64_t>("9007199254740993.0"); }));    // not exact as a double
  EXPECT_TRUE(refuses([] { loaded<float>("1e300"); }));
  EXPECT_TRUE(refuses([] { loaded<std::vector<float>>("[-3.5e38]"); }));
  EXPECT_TRUE(refuses([] { loaded<float>("1e-46"); }));  // nearer to 0 than to the least float
}

TEST(JsonCodec, floating_numbers_come_back_to_the_last_bit) {
  const auto check = []<class T>(T) {
    using Limits = std::numeric_limits<T>;
    for (const T value : {T{0}, -T{0}, T(0.1), T(1) / 3, Limits::min(), Limits::denorm_min(),
                          Limits::min() - Limits::denorm_min(), Limits::epsilon(), Limits::max(),
                          Limits::lowest(), T(16777217), T(9007199254740993.0)}) {
      EXPECT_TRUE(comes_back(value)) << value;
      EXPECT_TRUE(comes_back(-value)) << value;
    }
    EXPECT_TRUE(refuses([] { saved(Limits::infinity()); }));
    EXPECT_TRUE(refuses([] { saved(Limits::quiet_NaN()); }));
  };
  check(double{});
  check(float{});
  EXPECT_TRUE(comes_back(1.0L / 4));
  EXPECT_TRUE(refuses([] { saved(1.0L / 3); }));  // more digits than a double has
  EXPECT_TRUE(refuses([] { saved(std::vector{1.0L / 3}); }));
  EXPECT_EQ(loaded<double>("18446744073709551615"), 18446744073709551615.0);
}

TEST(JsonCodec, every_character_comes_back) {
  std::string all;
  for (unsigned c = 0; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;  // halves of pairs are no characters
    if (c < 0x80) {
      all += static_cast<char>(c);
    } else if (c < 0x800) {
      all += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    } else if (c < 0x10000) {
      all += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
              static_cast<char>(0x80 | (c & 63))};
    } else {
      all += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)),
              static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
    }
  }
  EXPECT_TRUE(comes_back(all));
  EXPECT_TRUE(comes_back(std::map<std::string, std::string>{{all.substr(0, 300), "x"}, {"", ""}}));
  for (const char* bad : {"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"})
    EXPECT_TRUE(refuses([&] { saved(std::string(bad)); }));
}

TEST(JsonCodec, what_is_nested_as_deep_as_may_be_written_can_be_read_and_deeper_is_refused) {
  const auto nested = [](int depth) {
    nlohmann::json json = nlohmann::json::array();
    for (int i = 1; i < depth; ++i) json = nlohmann::json::array({json});
    return json;
  };
  EXPECT_TRUE(comes_back(nested(tg::detail::kDeepestValue)));
  EXPECT_TRUE(refuses([&] { saved(nested(tg::detail::kDeepestValue + 1)); }));
}

TEST(JsonCodec, json_values_that_have_no_text_are_refused) {
  EXPECT_TRUE(refuses([] { saved(nlohmann::json::binary({1, 2})); }));
  EXPECT_TRUE(refuses([] { saved(nlohmann::json(nlohmann::json::value_t::discarded)); }));
}

TEST(JsonCodec, enumerations_come_back_and_do_not_wrap_around) {
  EXPECT_TRUE(comes_back(users::Level::high));
  EXPECT_TRUE(refuses([] { loaded<users::Level>("256"); }));
  EXPECT_TRUE(refuses([] { loaded<users::Level>("true"); }));
  EXPECT_TRUE(comes_back(users::Named::second));
  EXPECT_EQ(saved(users::Named::second), "\"second\"");
}

TEST(JsonCodec, a_view_of_text_is_not_kept_since_it_would_outlive_what_it_shows) {
  EXPECT_EQ(tg::JsonKey(tg::Key<std::string_view>("view")).codec().encode, nullptr);
  EXPECT_EQ(tg::JsonKey(tg::Key<std::vector<std::string_view>>("views")).codec().encode, nullptr);
}

TEST(JsonCodec, random_bytes_as_values_of_all_kinds_come_back_or_are_refused) {
  std::mt19937_64 random(20240229);
  for (int i = 0; i < 1'000; ++i) {
    std::string bytes(random() % 40, ' ');
    const bool ascii = random() % 3 == 0;
    for (char& c : bytes) c = static_cast<char>(random() & (ascii ? 0x7f : 0xff));
    tg::fuzz::check_codecs(bytes);
  }
}

}  // namespace
}  // namespace codec_test
