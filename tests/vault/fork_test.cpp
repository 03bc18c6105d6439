// SPDX-License-Identifier: Apache-2.0
// A vault in the child of a fork: it works, whatever other threads of the parent were doing with it.
#include <atomic>
#include <chrono>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/errors.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "support/in_child.hpp"

namespace fork_test {
namespace {

using namespace std::chrono_literals;
using tg::test::in_child;

const tg::Key<int> a{"a"};
const tg::Key<int> b{"b"};
const tg::Key<std::string> text{"text"};
const tg::Key<int> never{"never"};
const tg::KeyList kKeys{a, b, text, never};

template <class E, class F>
bool throws(F&& f) {
  try {
    f();
  } catch (const E&) {
    return true;
  }
  return false;
}

// A new thread gets the stack of one of the parent's, where the nodes of its waits were.
void write_over_a_stack() {
  std::thread([] {
    volatile char stack[50'000];
    for (volatile char& byte : stack) byte = 0x55;
  }).join();
}

void use(tg::Vault& vault) {
  for (int i = 0; i < 20; ++i) {
    vault.insert(a, i, tg::permit_modification);
    vault.insert_all(tg::permit_modification, tg::entry(b, i), tg::entry(text, std::string(100, 'x')));
    REQUIRE_IN_CHILD(vault.get(a) == i && vault.get(b) == i);
  }
  REQUIRE_IN_CHILD(vault.share(text)->size() == 100);
  REQUIRE_IN_CHILD(vault.wait_for(a) == tg::KeyWait::present);
  REQUIRE_IN_CHILD(vault.wait_for(never, 1ms) == tg::KeyWait::timed_out);
  REQUIRE_IN_CHILD(vault.size() == 3 && vault.entries().size() == 3);
  REQUIRE_IN_CHILD(!vault.explain().empty() && !vault.dot().empty());
  REQUIRE_IN_CHILD(vault.erase(a, b, text));
  vault.bind(tg::outputs(a), [] { return 5; })();
  REQUIRE_IN_CHILD(vault.get(a) == 5);
}

// The allocators of the sanitizers do not survive a fork while other threads allocate.
class VaultFork : public ::testing::Test {
 protected:
  void SetUp() override {
    if (TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER) {
      GTEST_SKIP() << "the allocator of the sanitizer does not survive a fork of several threads";
    }
  }
};

TEST_F(VaultFork, a_fork_while_others_write_read_and_wait_leaves_a_vault_that_works) {
  tg::Vault vault("shared", kKeys);
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (int thread = 0; thread < 3; ++thread) {
    others.emplace_back([&, thread] {
      while (!stop) {
        vault.insert(a, thread, tg::permit_modification);
        vault.insert_all(tg::permit_modification, tg::entry(b, thread),
                         tg::entry(text, std::string(50, 'y')));
        static_cast<void>(vault.try_get(text));
        static_cast<void>(vault.wait_for(never, std::chrono::microseconds(thread)));
        static_cast<void>(vault.explain());
        tg::Vault own("own", kKeys);
        own.insert(a, 1);
      }
    });
  }
  int status = 0;
  for (int i = 0; i < 60 && status == 0; ++i) {
    status = in_child([&] {
      use(vault);
      tg::Vault own("of the child", kKeys);
      use(own);
      tg::ThreadGroup group("of the child");
      group.add_task(own.bind(tg::outputs(b), [] { return 6; })).get();
      REQUIRE_IN_CHILD(own.get(b) == 6);
    });
  }
  EXPECT_EQ(status, 0);
  stop = true;
  for (std::thread& other : others) other.join();
}

TEST_F(VaultFork, flows_that_wait_in_the_parent_are_not_woken_in_the_child) {
  tg::Vault vault("shared", kKeys);
  std::counting_semaphore<> waiting(0);
  tg::ThreadGroup group("waits");
  for (int i = 0; i < 3; ++i) {
    group.post([&] {
      waiting.release();
      EXPECT_EQ(vault.wait_for(never), tg::KeyWait::present);
    });
  }
  for (int i = 0; i < 3; ++i) waiting.acquire();
  EXPECT_EQ(in_child([&] {
              write_over_a_stack();
              vault.insert(never, 1);
              REQUIRE_IN_CHILD(vault.wait_for(never) == tg::KeyWait::present);
            }),
            0);
  vault.insert(never, 1);
  EXPECT_TRUE(group.join());
}

TEST_F(VaultFork, an_automatic_of_the_parents_group_says_so_and_can_be_declared_again) {
  tg::Vault vault("shared", kKeys);
  auto group = std::make_unique<tg::ThreadGroup>("of the parent");
  std::binary_semaphore running(0);
  std::binary_semaphore go(0);
  vault.automatic(*group, tg::inputs(a), tg::outputs(b), [&](int i) {
    running.release();
    go.acquire();
    return i + 1;
  });
  vault.insert(a, 1);
  running.acquire();  // so there is a run in the parent while we fork
  EXPECT_EQ(in_child([&] {
              REQUIRE_IN_CHILD(vault.wait_for(b) == tg::KeyWait::producer_failed);
              REQUIRE_IN_CHILD(throws<tg::ForkedError>([&] { vault.insert(a, 2, tg::permit_modification); }));
              REQUIRE_IN_CHILD(vault.get(a) == 2);
              REQUIRE_IN_CHILD(
                  throws<tg::ForkedError>([&] { vault.automatic(*group, tg::inputs(b), [](int) {}); }));
              tg::ThreadGroup own("of the child");
              vault.automatic(own, tg::inputs(a), tg::outputs(b), [](int i) { return i + 10; });
              REQUIRE_IN_CHILD(vault.wait_for(b, 30s) == tg::KeyWait::present);
              REQUIRE_IN_CHILD(vault.get(b) == 12);
            }),
            0);
  go.release();
  EXPECT_TRUE(group->join());
  EXPECT_EQ(vault.get(b), 2);
}

TEST_F(VaultFork, a_task_of_the_parent_stores_nothing_in_the_child) {
  tg::Vault vault("shared", kKeys);
  std::binary_semaphore go(0);
  tg::ThreadGroup group("of the parent");
  group.post(vault.bind(tg::outputs(a), [&] {
    go.acquire();
    return 1;
  }));
  EXPECT_EQ(in_child([&] { REQUIRE_IN_CHILD(vault.wait_for(a) == tg::KeyWait::producer_failed); }), 0);
  go.release();
  EXPECT_EQ(vault.wait_for(a), tg::KeyWait::present);
}

TEST_F(VaultFork, a_child_may_destroy_what_it_inherited) {
  auto vault = std::make_unique<tg::Vault>("shared", kKeys);
  auto group = std::make_unique<tg::ThreadGroup>("of the parent");
  vault->automatic(*group, tg::inputs(a), tg::outputs(b), [](int i) { return i; });
  vault->insert(text, "x");
  EXPECT_EQ(in_child([&] {
              group.reset();
              vault.reset();
            }),
            0);
  vault->insert(a, 1);
  EXPECT_EQ(vault->wait_for(b), tg::KeyWait::present);
}

}  // namespace
}  // namespace fork_test
