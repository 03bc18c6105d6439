// SPDX-License-Identifier: Apache-2.0
// Numbers and other short values, which are read without a write. Invariant K5.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <latch>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <threadgroup/vault.hpp>

#include "support.hpp"

namespace short_copy_test {
namespace {

struct Halves {
  std::int64_t first;
  std::int64_t second;
};
static_assert(tg::detail::ShortCopy::kFits<Halves>);
static_assert(tg::detail::ShortCopy::kFits<std::string_view>);
static_assert(!tg::detail::ShortCopy::kFits<std::string>);

constexpr int kRounds = 3000;

TEST(ShortCopy, types_of_all_short_sizes_are_read_as_they_were_written) {
  struct Three {
    char text[3];
  };
  const tg::Key<bool> yes{"yes"};
  const tg::Key<Three> three{"three"};
  const tg::Key<double> number{"number"};
  const tg::Key<Halves> halves{"halves"};
  const tg::Key<std::chrono::steady_clock::time_point> time{"time"};
  const tg::Key<std::optional<int>> maybe{"maybe"};
  tg::Vault vault("v", {yes, three, number, halves, time, maybe});
  const auto now = std::chrono::steady_clock::now();
  vault.insert(yes, true);
  vault.insert(three, Three{{'a', 'b', 'c'}});
  vault.insert(number, -0.5);
  vault.insert(halves, Halves{1, -1});
  vault.insert(time, now);
  vault.insert(maybe, std::optional<int>());
  EXPECT_TRUE(vault.get(yes));
  EXPECT_EQ(std::string_view(vault.get(three).text, 3), "abc");
  EXPECT_EQ(vault.get(number), -0.5);
  EXPECT_EQ(vault.get(halves).second, -1);
  EXPECT_EQ(vault.get(time), now);
  EXPECT_EQ(vault.get(maybe), std::nullopt);
  EXPECT_TRUE(vault.try_get(maybe).has_value());
}

TEST(ShortCopy, an_erased_value_is_missing_and_a_new_one_is_read) {
  const tg::Key<int> key{"key"};
  tg::Vault vault("v", {key});
  EXPECT_EQ(vault.try_get(key), std::nullopt);
  vault.insert(key, 1);
  EXPECT_TRUE(vault.erase(key));
  EXPECT_FALSE(vault.contains(key));
  EXPECT_EQ(vault.try_get(key), std::nullopt);
  EXPECT_THROW(static_cast<void>(vault.get(key)), tg::MissingKeyError);
  vault.insert(key, 2);
  EXPECT_EQ(vault.get(key), 2);
  EXPECT_EQ(*vault.share(key), 2);
}

TEST(ShortCopy, a_key_whose_type_was_compiled_otherwise_is_refused) {
  struct KeyOfAnotherCompiler : tg::detail::KeyInfo {
    KeyOfAnotherCompiler() : KeyInfo("key", typeid(int), false) {}
    std::string print(const tg::detail::ValueRef&) const override { return {}; }
  };
  const tg::Key<int> key{"key"};
  tg::Vault vault("v", {key});
  const std::string text = tg::test::error_of<tg::KeyTypeError>(
      [&] { static_cast<void>(vault.core()->find(KeyOfAnotherCompiler())); });
  EXPECT_HAS(text, "int (trivially copyable) here");
  EXPECT_HAS(text, "int (not trivially copyable)");
}

// Several threads read while this one writes; all begin together.
template <class Read, class Write>
void read_while_writing(Read read, Write write) {
  constexpr int kReaders = 3;
  std::latch ready(kReaders + 1);
  std::vector<std::jthread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&] {
      ready.arrive_and_wait();
      read();
    });
  }
  ready.arrive_and_wait();
  write();
}

TEST(ShortCopy, values_of_two_words_are_never_torn_while_they_are_replaced_and_erased) {
  const tg::Key<Halves> key{"key"};
  tg::Vault vault("v", {key}, {.permit_modification = true});
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  read_while_writing(
      [&] {
        while (!stop) {
          if (const auto value = vault.try_get(key); value && value->first != -value->second) ++torn;
        }
      },
      [&] {
        for (int i = 1; i < 20 * kRounds; ++i) {
          vault.insert(key, Halves{i, -i});
          if (i % 7 == 0) vault.erase(key);
        }
        stop = true;
      });
  EXPECT_EQ(torn, 0);
}

TEST(ShortCopy, a_reader_that_has_seen_a_value_reads_no_older_one_in_any_way) {
  const tg::Key<int> key{"key"};
  tg::Vault vault("v", {key}, {.permit_modification = true});
  vault.insert(key, 0);
  std::atomic<int> older{0};
  read_while_writing(
      [&] {
        for (int seen = 0; seen < kRounds;) {
          for (const int value : {*vault.share(key), vault.get(key), std::get<0>(vault.get_all(key))}) {
            if (value < seen) ++older;
            seen = value;
          }
        }
      },
      [&] {
        for (int i = 1; i <= kRounds; ++i) vault.insert(key, i);
      });
  EXPECT_EQ(older, 0);
}

TEST(ShortCopy, a_reader_that_has_seen_that_a_value_is_gone_does_not_read_it) {
  const tg::Key<int> key{"key"};
  tg::Vault vault("v", {key});
  std::atomic<int> returned{0};
  read_while_writing(
      [&] {
        for (int seen = 0; seen < kRounds;) {
          const bool is_gone = !vault.contains(key);
          const int value = vault.try_get(key).value_or(seen + 1);
          if (is_gone && value <= seen) ++returned;  // the next one is greater
          if (vault.contains(key)) seen = std::max(seen, vault.try_get(key).value_or(0));
        }
      },
      [&] {
        for (int i = 1; i <= kRounds; ++i) {
          vault.insert(key, i);
          if (i < kRounds) vault.erase(key);
        }
      });
  EXPECT_EQ(returned, 0);
}

}  // namespace
}  // namespace short_copy_test
