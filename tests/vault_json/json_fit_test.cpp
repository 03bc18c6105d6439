// SPDX-License-Identifier: Apache-2.0
// What does not fit is refused, with the key's name and the place.
#include "support.hpp"

#include <cstdint>
#include <forward_list>
#include <limits>
#include <map>
#include <unordered_map>
#include <vector>

#include <threadgroup/vault_json.hpp>

#include "base/sanitizers.hpp"
#include "fuzz/round_trip.hpp"

namespace users {

struct Port {
  std::uint16_t number = 0;
  int attempts = 0;
  unsigned char level = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Port, number, attempts, level)

// Reads an older form, and forgets what is not to outlive the process.
struct Migrated {
  int version = 2;
  int pid = 0;
  double rounded = 0;
};
void to_json(nlohmann::json& json, const Migrated& m) {
  json = {{"version", 2}, {"pid", 0}, {"rounded", m.rounded}};
}
void from_json(const nlohmann::json& json, Migrated& m) {
  m.rounded = static_cast<double>(static_cast<int>(json.at("rounded").get<double>() * 10)) / 10;
}

}  // namespace users

namespace json_fit_test {
namespace {

using tg::fuzz::loaded;
using tg::fuzz::refuses;
using tg::test::error_of;
using tg::test::Folder;

template <class T>
std::string refusal(const std::string& json) {
  return error_of<std::invalid_argument>([&] { loaded<T>(json); });
}

TEST(JsonFit, the_error_says_the_number_and_the_type) {
  EXPECT_EQ(refusal<int>("5000000000"), "5000000000 does not fit the type int");
  EXPECT_EQ(refusal<unsigned>("-1"), "-1 does not fit the type unsigned int");
  EXPECT_EQ(refusal<float>("1e300"), "1e+300 does not fit the type float");
  EXPECT_EQ(refusal<double>("true"), "a number is expected, not boolean");
}

TEST(JsonFit, numbers_are_checked_inside_of_all_containers) {
  EXPECT_HAS((refusal<std::map<std::string, std::forward_list<signed char>>>("{\"a\": [1, 200]}")), "200");
  EXPECT_HAS((refusal<std::unordered_map<std::string, float>>("{\"a\": 1e39}")), "1e+39");
  EXPECT_HAS((refusal<std::map<int, short>>("[[1, 40000]]")), "40000");
  EXPECT_HAS((refusal<std::map<short, int>>("[[40000, 1]]")), "40000");
  EXPECT_HAS((refusal<std::tuple<int, std::pair<bool, unsigned char>>>("[1, [true, 256]]")), "256");
  EXPECT_HAS((refusal<std::array<int, 2>>("[1, 2.5]")), "2.5");
  EXPECT_HAS((refusal<std::set<int>>("[1, -3000000000]")), "-3000000000");
}

TEST(JsonFit, a_list_of_another_length_than_the_type_has_is_refused) {
  EXPECT_HAS((refusal<std::array<double, 2>>("[1, 2, 3]")), "a list of 2 values is expected, not one of 3");
  EXPECT_HAS((refusal<std::tuple<int, double>>("[1]")), "a list of 2");
  EXPECT_HAS((refusal<std::pair<int, int>>("[1, 2, 3]")), "a list of 2");
}

TEST(JsonFit, a_number_that_a_type_of_the_user_cuts_is_refused_with_its_place) {
  EXPECT_EQ(loaded<users::Port>(R"({"number": 65535, "attempts": -1, "level": 0})").number, 65535);
  EXPECT_EQ(refusal<users::Port>(R"({"number": 70000, "attempts": 0, "level": 0})"),
            "70000 at /number does not fit the type that it is read into, and became 4464");
  EXPECT_HAS(refusal<users::Port>(R"({"number": 1, "attempts": 5000000000, "level": 0})"), "/attempts");
  EXPECT_HAS(refusal<users::Port>(R"({"number": 1, "attempts": 4294967296, "level": 0})"), "/attempts");
  EXPECT_HAS(refusal<users::Port>(R"({"number": 1, "attempts": 0, "level": -1})"), "/level");
  EXPECT_HAS(refusal<users::Port>(R"({"number": 1.5, "attempts": 0, "level": 0})"), "/number");
  EXPECT_HAS(refusal<std::vector<users::Port>>(R"([{"number": 70000, "attempts": 0, "level": 0}])"),
             "/0/number");
}

TEST(JsonFit, a_real_number_that_a_type_of_the_user_keeps_as_an_integer_is_refused_unless_it_fits) {
  const auto port = [](const std::string& number, const std::string& attempts, const std::string& level) {
    return "{\"number\": " + number + ", \"attempts\": " + attempts + ", \"level\": " + level + "}";
  };
  EXPECT_EQ(loaded<users::Port>(port("65535.0", "-7.0", "2.55e2")).level, 255);
  // From here on the user's own function casts what is out of range, before the library can look at it.
  if (TG_ADDRESS_SANITIZER) GTEST_SKIP() << "the sanitizer ends the program at the user's cast";
  EXPECT_HAS(refusal<users::Port>(port("0", "3e9", "0")), "3000000000.0 at /attempts does not fit");
  EXPECT_HAS(refusal<users::Port>(port("0", "-3e9", "0")), "/attempts");
  EXPECT_HAS(refusal<users::Port>(port("0", "1e300", "0")), "/attempts");
  EXPECT_HAS(refusal<users::Port>(port("0", "0", "300.0")), "300.0 at /level");
  EXPECT_HAS(refusal<users::Port>(port("0", "0", "300.5")), "/level");
  EXPECT_HAS(refusal<users::Port>(port("0", "0", "3e9")), "/level");
  EXPECT_HAS(refusal<users::Port>(port("-1.0", "0", "0")), "-1.0 at /number");
  EXPECT_HAS(refusal<users::Port>(port("0", "1e-46", "0")), "/attempts");
}

TEST(JsonFit, a_number_just_above_the_largest_float_is_that_float_if_it_is_the_nearest_one) {
  constexpr float largest = std::numeric_limits<float>::max();
  EXPECT_EQ(loaded<float>("3.4028235e38"), largest);  // as other languages print it
  EXPECT_EQ(loaded<float>("-3.4028235e38"), -largest);
  EXPECT_EQ(loaded<float>("3.4028235677973363e38"), largest);
  EXPECT_HAS(refusal<float>("3.4028235677973366e38"), "does not fit the type float");  // a tie, rounded up
}

TEST(JsonFit, a_type_of_the_user_may_change_numbers_on_purpose) {
  EXPECT_EQ(loaded<users::Migrated>(R"({"version": 1, "pid": 4096, "rounded": 2.57})").rounded, 2.5);
}

TEST(JsonFit, a_value_that_does_not_fit_leaves_the_vault_as_it_was_and_the_error_names_the_key) {
  const tg::Key<std::uint64_t> whole("whole");
  const tg::Key<float> real("real");
  const Folder folder;
  const auto error = [&](const std::string& text) {
    tg::test::put(folder.file("v.json"), text);
    tg::Vault vault("v", {whole, real});
    tg::JsonResource file{folder.file("v.json"), tg::JsonMode::append};
    std::string said = error_of<tg::ResourceError>([&] { file.attach(vault, {whole, real}); });
    EXPECT_TRUE(vault.empty());
    return said;
  };
  EXPECT_HAS(error("{\"real\": 1, \"whole\": -1}"), "v.json:1:22: key 'whole': -1 does not fit");
  EXPECT_HAS(error("{\"real\": 1e300}"), "v.json:1:10: key 'real': 1e+300 does not fit");
  EXPECT_HAS(error("{\n  \"whole\": 1,\n  \"real\": 1e400\n}"),
             "v.json:3:11: key 'real': the number 1e400 is too");
}

TEST(JsonFit, a_number_that_no_double_tells_from_another_one_is_refused_where_that_matters) {
  const tg::Key<int> whole("whole");
  const tg::Key<double> real("real");
  const tg::Key<std::map<std::string, std::vector<int>>> lists("lists");
  const tg::Key<users::Port> port("port");
  const Folder folder;
  const auto error = [&](const std::string& text) {
    tg::test::put(folder.file("v.json"), text);
    tg::Vault vault("v", {whole, real, lists, port});
    tg::JsonResource file{folder.file("v.json"), tg::JsonMode::append};
    return error_of<tg::ResourceError>([&] { file.attach(vault, {whole, real, lists, port}); });
  };
  EXPECT_HAS(error("{\"real\": 1e-400}"), "v.json:1:10: key 'real': the number 1e-400 is too small");
  EXPECT_HAS(error("{\"whole\": -0.001e-400}"), "'whole': the number -0.001e-400 is too small");
  EXPECT_HAS(error("{\"lists\": {\"a\": [1, 1e-400]}}"), "the number 1e-400 is too small");
  EXPECT_HAS(error("{\"whole\": 0.99999999999999999999}"),
             "'whole': 0.99999999999999999999 is not a whole number, and became 1");
  EXPECT_HAS(error("{\"whole\": 12.3000000000000000000001e1}"),
             "'whole': 12.3000000000000000000001e1 is not");
  EXPECT_HAS(error("{\"lists\": {\"a\": [1, 2.00000000000000000001]}}"),
             "2.00000000000000000001 at /a/1 is not");
  EXPECT_HAS(error(R"({"port": {"number": 1, "attempts": 6.99999999999999999999, "level": 0}})"),
             "6.99999999999999999999 at /attempts");
  for (const char* text : {"{\"real\": 0.99999999999999999999, \"whole\": 0e-400}",
                           "{\"real\": 0.0, \"whole\": 1.20e1, \"lists\": {\"a\": [1e2, 300e-2, 4.0]}}"}) {
    tg::test::put(folder.file("v.json"), text);
    tg::Vault vault("v", {whole, real, lists, port});
    tg::JsonResource file{folder.file("v.json"), tg::JsonMode::append};
    EXPECT_NO_THROW(file.attach(vault, {whole, real, lists, port})) << text;
  }
}

}  // namespace
}  // namespace json_fit_test
