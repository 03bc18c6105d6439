// SPDX-License-Identifier: Apache-2.0
// When memory runs out in the vault: a call that throws has changed nothing, or what it changed is carried
// on, and no wait is left behind.
#include "support.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <string>

#include <threadgroup/group/thread_group.hpp>
#include <threadgroup/vault/vault.hpp>

#include "support/scarce_memory.hpp"

namespace tg {
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

}  // namespace
}  // namespace tg
