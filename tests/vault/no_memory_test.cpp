// SPDX-License-Identifier: Apache-2.0
// When memory runs out in the vault: a call that throws has changed nothing, or what it changed is carried
// on, and no wait is left behind.
#include "support.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <string>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/vault.hpp>

#include "support/scarce_memory.hpp"

namespace tg {
namespace no_memory_test {
namespace {

using namespace std::chrono_literals;
using test::Shortage;
using test::try_with;

const Key<std::string> a{"a"};
const Key<std::string> b{"b"};
const KeyList kKeys{a, b};
// Too long for the small buffer of a string: to copy it takes memory.
const std::string text = std::string(100, 'x');

// The text of this exception is asked for, and then there is no memory for the copy: the first time.
class NoRoomForItsText : public std::exception {
 public:
  const char* what() const noexcept override {
    if (first_time.exchange(false)) test::allow(0, Shortage::passing);
    return text.c_str();
  }
  static inline std::atomic<bool> first_time{true};
};

TEST(NoMemory, an_automatic_whose_failure_cannot_be_described_has_failed_all_the_same) {
  NoRoomForItsText::first_time = true;
  Vault vault("v", kKeys, {.permit_modification = true});
  ThreadGroup group("g");
  vault.automatic(group, inputs(a), outputs(b), [](const std::string& value) {
    if (value != "good") throw NoRoomForItsText();
    return value;
  });
  vault.insert(a, "bad");
  EXPECT_EQ(vault.wait_for(b, 30s), KeyWait::producer_failed);
  EXPECT_EQ(group.wait_idle().failures.size(), 1U);
  EXPECT_FALSE(NoRoomForItsText::first_time);
  EXPECT_HAS(vault.explain(), "out of memory");
  vault.insert(a, "good");
  EXPECT_EQ(vault.wait_for(b, 30s), KeyWait::present);
}

// Calls `f` with no memory, with one allocation, with two, until it had all that it wanted.
template <class F>
void try_with_ever_more(F f) {
  for (int allocations = 0; f(allocations); ++allocations) {
  }
}

std::string same(const std::string& value) { return value; }

class NoMemoryFor : public testing::TestWithParam<Shortage> {};

TEST_P(NoMemoryFor, a_declaration_that_throws_has_declared_nothing) {
  try_with_ever_more([](int allocations) {
    SCOPED_TRACE(allocations);
    Vault vault("v", kKeys, {.permit_modification = true});
    ThreadGroup group("g");
    vault.insert(a, text);
    const auto declare = [&] { vault.automatic(group, "copies", inputs(a), outputs(b), same); };
    const test::Try outcome = try_with(allocations, GetParam(), declare);
    if (outcome.threw) {
      EXPECT_FALSE(test::has(vault.explain(), "copies"));
      EXPECT_NO_THROW(declare());
    }
    EXPECT_EQ(vault.wait_for(b, 30s), KeyWait::present);
    vault.insert(a, "new");
    EXPECT_TRUE(group.wait_idle().failures.empty());
    EXPECT_EQ(vault.get(b), "new");
    return outcome.refused;
  });
}

TEST_P(NoMemoryFor, a_declaration_without_outputs_that_throws_has_declared_nothing) {
  try_with_ever_more([](int allocations) {
    SCOPED_TRACE(allocations);
    std::atomic<int> calls{0};
    Vault vault("v", kKeys, {.permit_modification = true});
    ThreadGroup group("g");
    vault.insert(a, text);
    const auto declare = [&] { vault.automatic(group, inputs(a), [&](const std::string&) { ++calls; }); };
    const test::Try outcome = try_with(allocations, GetParam(), declare);
    if (outcome.threw) {
      EXPECT_NO_THROW(declare());
    }
    EXPECT_TRUE(group.wait_idle().failures.empty());
    EXPECT_EQ(calls, 1);
    return outcome.refused;
  });
}

TEST_P(NoMemoryFor, an_insert_that_throws_leaves_no_wait_behind) {
  try_with_ever_more([](int allocations) {
    SCOPED_TRACE(allocations);
    Vault vault("v", kKeys, {.permit_modification = true});
    ThreadGroup group("g");
    vault.automatic(group, inputs(a), outputs(b), same);
    const test::Try outcome = try_with(allocations, GetParam(), [&] { vault.insert(a, text); });
    if (vault.contains(a)) {
      const KeyWait wait = vault.wait_for(b, 30s);
      EXPECT_EQ(wait, outcome.threw ? KeyWait::producer_failed : KeyWait::present);
    } else {
      EXPECT_TRUE(outcome.threw);
    }
    // All sets are run, also one that could not be started.
    vault.insert(a, "new");
    EXPECT_TRUE(group.wait_idle().failures.empty());
    EXPECT_EQ(vault.get(b), "new");
    return outcome.refused;
  });
}

INSTANTIATE_TEST_SUITE_P(Vault, NoMemoryFor, testing::Values(Shortage::passing, Shortage::lasting),
                         [](const auto& test) {
                           return test.param == Shortage::passing ? "passing" : "lasting";
                         });

}  // namespace
}  // namespace no_memory_test
}  // namespace tg
