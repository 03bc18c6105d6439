// SPDX-License-Identifier: Apache-2.0
// The fuzzer's check, on its corpus, on what it has found before, and on mutations of them.
#include "fuzz/loader.hpp"

#include <gtest/gtest.h>

#include <random>

#include "base/sanitizers.hpp"

namespace loader_test {
namespace {

const std::vector<std::string> kSeeds = {
    R"({"number": 1, "small": -3, "flag": true, "real": 1.5e3, "text": "a\u00e9\"", "list": [1, 2]})",
    R"({"table": {"a": ["b", "c"], "": []}, "any": [null, {"x": [{}]}, -0.0, 1e308]})",
    R"({"stranger": [{"a": "}"}], "number": 2})",
    R"({"large": -9223372036854775808, "positive": 18446744073709551615, "single": 3.4e38})",
    R"({})",
};

TEST(JsonLoader, loads_its_seeds) {
  for (const std::string& seed : kSeeds) EXPECT_TRUE(tg::fuzz::one_input(seed)) << seed;
}

TEST(JsonLoader, refuses_or_loads_mutations_of_them_and_never_half) {
  const std::string_view pieces[] = {"{",    "}",    "[",       "]", "\"",       "\\",   ",",
                                     ":",    "1",    "-",       ".", "e9",       "null", "\"number\"",
                                     "true", "\xff", "\\u0000", " ", "\"any\":", "\n",   "[[[[[[[["};
  // Sanitizers need a millisecond and more for each. One thread cannot race; the fuzzer goes on in ./dev sanitize.
  const int rounds = TG_THREAD_SANITIZER ? 1'000 : TG_ADDRESS_SANITIZER ? 4'000 : 20'000;
  std::mt19937 random(7);
  int loaded = 0;
  for (int i = 0; i < rounds; ++i) {
    std::string text = kSeeds[random() % kSeeds.size()];
    for (auto changes = 1 + random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % (text.size() + 1);
      if (random() % 2 == 0) {
        text.erase(at, random() % 4);
      } else {
        text.insert(at, pieces[random() % std::size(pieces)]);
      }
    }
    loaded += tg::fuzz::one_input(text) ? 1 : 0;
  }
  EXPECT_GT(loaded, rounds / 200);
}

}  // namespace
}  // namespace loader_test
