// SPDX-License-Identifier: Apache-2.0
// Inserting, reading, waiting.
#include "support.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/vault.hpp>

#include "runtime/steady_clock.hpp"

namespace vault_test {
namespace {

using namespace std::chrono_literals;
using tg::test::error_of;

const tg::Key<int> a{"a"};
const tg::Key<std::string> b{"b"};
const tg::Key<std::unique_ptr<int>> only_moves{"only_moves"};

struct Unprintable {};

TEST(Vault, insert_get_try_get_contains_erase_size) {
  tg::Vault vault("v", {a, b});
  EXPECT_TRUE(vault.empty());
  EXPECT_FALSE(vault.contains(a));
  EXPECT_EQ(vault.try_get(a), std::nullopt);
  vault.insert(a, 1);
  vault.insert(b, "valid");
  EXPECT_TRUE(vault.contains(a));
  EXPECT_EQ(vault.get(a), 1);
  EXPECT_EQ(vault.try_get(b), "valid");
  EXPECT_EQ(vault.size(), 2U);
  EXPECT_TRUE(vault.erase(a));
  EXPECT_FALSE(vault.erase(a));
  EXPECT_FALSE(vault.contains(a));
  EXPECT_EQ(vault.size(), 1U);
}

TEST(Vault, a_missing_key_is_named_together_with_the_functions_known_to_produce_it) {
  tg::Vault vault("v", {a, b});
  tg::ThreadGroup group("g");
  EXPECT_HAS(error_of<tg::MissingKeyError>([&] { static_cast<void>(vault.get(a)); }), "no function");
  vault.automatic(group, "compute", tg::inputs(b), tg::outputs(a), [](const std::string&) { return 1; });
  static_cast<void>(vault.bind("by hand", tg::inputs(), tg::outputs(a), [] { return 2; }));
  const auto text = error_of<tg::MissingKeyError>([&] { static_cast<void>(vault.get(a)); });
  EXPECT_HAS(text, "'a'");
  EXPECT_HAS(text, "'compute', 'by hand'");
}

TEST(Vault, inserting_a_key_twice_is_an_error_unless_the_call_permits_it) {
  tg::Vault vault("v", {a});
  vault.insert(a, 1);
  EXPECT_HAS(error_of<tg::KeyExistsError>([&] { vault.insert(a, 2); }), "'a'");
  EXPECT_EQ(vault.get(a), 1);
  vault.insert(a, 3, tg::permit_modification);
  EXPECT_EQ(vault.get(a), 3);
}

TEST(Vault, inserting_a_key_twice_replaces_it_if_the_vault_permits_it) {
  tg::Vault vault("v", {a}, {.permit_modification = true});
  vault.insert(a, 1);
  vault.insert(a, 2);
  EXPECT_EQ(vault.get(a), 2);
}

TEST(Vault, iteration_shows_what_is_there_as_name_and_printable_value) {
  const tg::Key<Unprintable> odd{"odd"};
  const tg::Key<bool> flag{"flag"};
  tg::Vault vault("v", {b, odd, a, flag});
  vault.insert(flag, true);
  vault.insert(odd, Unprintable());
  vault.insert(b, "x");
  std::string text;
  for (const auto& [name, value] : vault.entries()) text += name + "=" + value + ";";
  EXPECT_HAS(text, "b=x;odd=");
  EXPECT_HAS(text, "Unprintable;flag=true;");
}

TEST(Vault, values_look_in_texts_as_they_do_in_results) {
  const tg::Key<double> real{"real"};
  const tg::Key<std::vector<std::string>> list{"list", [](const auto& all) { return all.size() < 3; }};
  const tg::Key<std::optional<int>> maybe{"maybe"};
  tg::Vault vault("v", {real, list, maybe});
  vault.insert(real, 0.1 + 0.2);
  vault.insert(list, std::vector<std::string>{"x", "y"});
  vault.insert(maybe, std::nullopt);
  std::string text;
  for (const auto& [name, value] : vault.entries()) text += name + "=" + value + ";";
  EXPECT_EQ(text, "real=0.30000000000000004;list=[x, y];maybe=nullopt;");
  try {
    vault.insert(list, std::vector<std::string>{"x", "y", "z"}, tg::permit_modification);
    FAIL() << "the list is too long";
  } catch (const tg::ValueRejectedError& e) {
    EXPECT_HAS(std::string(e.what()), "(value: [x, y, z])");
  }
}

TEST(Vault, values_that_can_only_be_moved_are_shared) {
  tg::Vault vault("v", {only_moves});
  EXPECT_EQ(vault.try_share(only_moves), nullptr);
  vault.insert(only_moves, std::make_unique<int>(5));
  EXPECT_EQ(**vault.share(only_moves), 5);
}

TEST(Vault, what_was_read_stays_valid_and_the_same_while_others_write_and_erase) {
  tg::Vault vault("v", {b}, {.permit_modification = true});
  vault.insert(b, std::string(1000, 'x'));
  const auto before = vault.share(b);
  vault.insert(b, std::string(1000, 'y'));
  vault.erase(b);
  EXPECT_EQ(*before, std::string(1000, 'x'));
}

TEST(Vault, several_keys_are_inserted_in_one_step_or_not_at_all) {
  const tg::Key<int> checked{"checked", [](const int& i) { return i > 0; }};
  tg::Vault vault("v", {a, b, checked});
  EXPECT_THROW(vault.insert_all(tg::entry(a, 1), tg::entry(checked, -1)), tg::ValueRejectedError);
  EXPECT_EQ(vault.size(), 0U);
  vault.insert(b, "there");
  EXPECT_THROW(vault.insert_all(tg::entry(a, 1), tg::entry(b, "x")), tg::KeyExistsError);
  EXPECT_FALSE(vault.contains(a));
  vault.insert_all(tg::permit_modification, tg::entry(a, 1), tg::entry(b, "x"));
  EXPECT_EQ(vault.get_all(a, b), (std::tuple<int, std::string>(1, "x")));
  EXPECT_THROW(vault.insert_all(tg::permit_modification, tg::entry(a, 1), tg::entry(a, 2)), tg::VaultError);
}

TEST(Vault, reading_several_keys_names_all_that_are_missing) {
  const tg::Key<int> c{"c"};
  tg::Vault vault("v", {a, b, c});
  vault.insert(b, "x");
  const auto text = error_of<tg::MissingKeyError>([&] { static_cast<void>(vault.get_all(a, b, c)); });
  EXPECT_HAS(text, "'a'");
  EXPECT_HAS(text, "'c'");
  EXPECT_FALSE(tg::test::has(text, "'b'"));
  EXPECT_EQ(std::get<1>(vault.try_get_all(a, b)), "x");
}

// Too long to be copied without being counted on.
struct Long {
  Long(int i) : value(i) {}
  operator int() const { return value; }
  int value;
  int more[8] = {};
};

template <class T>
void no_reader_sees_half_a_step() {
  const tg::Key<T> x{"x"};
  const tg::Key<T> y{"y"};
  tg::Vault vault("v", {x, y}, {.permit_modification = true});
  vault.insert_all(tg::entry(x, T(0)), tg::entry(y, T(0)));
  constexpr int kRounds = 3000;
  std::latch start(3);
  std::thread writer([&] {
    start.arrive_and_wait();
    for (int i = 1; i <= kRounds; ++i) vault.insert_all(tg::entry(x, T(i)), tg::entry(y, T(i)));
  });
  std::atomic<int> torn{0};
  std::atomic<int> old{0};
  std::thread together([&] {
    start.arrive_and_wait();
    for (int seen = 0; seen < kRounds;) {
      const auto [vx, vy] = vault.get_all(x, y);
      if (vx != vy) ++torn;
      seen = vx;
    }
  });
  std::thread apart([&] {
    start.arrive_and_wait();
    for (int seen = 0; seen < kRounds;) {
      const int vx = vault.get(x);
      if (vault.get(y) < vx) ++old;  // a reader that has seen a part of a step sees all of it
      seen = vx;
    }
  });
  writer.join();
  together.join();
  apart.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(old, 0);
}

TEST(Vault, no_reader_sees_half_a_step_by_one_call_or_by_two) { no_reader_sees_half_a_step<Long>(); }

TEST(Vault, no_reader_sees_half_a_step_of_short_values) { no_reader_sees_half_a_step<int>(); }

// Counts itself; two halves that would differ if the value were torn.
struct Counted {
  static inline std::atomic<int> alive{0};
  explicit Counted(int i) : first(i), text(100, static_cast<char>('a' + i % 26)), second(i) { ++alive; }
  Counted(const Counted& o) : first(o.first), text(o.text), second(o.second) { ++alive; }
  Counted(Counted&& o) noexcept : first(o.first), text(std::move(o.text)), second(o.second) { ++alive; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive; }
  int first;
  std::string text;
  int second;
};

TEST(Vault, values_are_never_torn_and_each_is_destroyed_once_under_readers_and_writers) {
  {
    const tg::Key<Counted> key{"key"};
    tg::Vault vault("v", {key}, {.permit_modification = true});
    vault.insert(key, Counted(0));
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int r = 0; r < 4; ++r) {
      readers.emplace_back([&, r] {
        while (!stop) {
          if (r % 2 == 0) {
            if (const auto value = vault.try_get(key); value && value->first != value->second) ++wrong;
          } else {
            if (const auto value = vault.try_share(key); value != nullptr && value->text.size() != 100)
              ++wrong;
          }
        }
      });
    }
    for (int i = 1; i < 3000; ++i) {
      vault.insert(key, Counted(i));
      if (i % 7 == 0) vault.erase(key);
    }
    stop = true;
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(wrong, 0);
    vault.insert(key, Counted(1));
    EXPECT_EQ(Counted::alive, 1);
  }
  EXPECT_EQ(Counted::alive, 0);
}

// A type whose every special function uses the vault: it would hang if one of them ran under a lock.
struct CallsVault {
  static inline std::function<void()> call;
  CallsVault() = default;
  CallsVault(const CallsVault&) { call(); }
  CallsVault(CallsVault&&) noexcept { call(); }
  CallsVault& operator=(const CallsVault&) = default;
  ~CallsVault() { call(); }
};

TEST(Vault, no_code_of_the_user_runs_under_a_lock) {
  std::atomic<int> calls{0};
  CallsVault::call = [] {};
  const tg::Key<CallsVault> key{"key", [](const CallsVault&) { CallsVault::call(); },
                                tg::modifier([](CallsVault v) {
                                  CallsVault::call();
                                  return v;
                                })};
  tg::Vault vault("v", {key, a}, {.permit_modification = true});
  tg::ThreadGroup group("g");
  vault.automatic(
      group, tg::inputs(key), tg::outputs(), [](const CallsVault&) { CallsVault::call(); },
      [](const CallsVault&) {
        CallsVault::call();
        return true;
      });
  CallsVault::call = [&] {
    vault.insert(a, ++calls);
    static_cast<void>(vault.explain());
  };
  vault.insert(key, CallsVault());
  static_cast<void>(vault.get(key));
  static_cast<void>(vault.get_all(key, a));
  vault.insert(key, CallsVault());
  vault.erase(key);
  EXPECT_TRUE(group.join());
  CallsVault::call = [] {};
  EXPECT_GT(calls, 10);
}

TEST(VaultWait, a_key_that_is_there_does_not_wait_and_a_passed_deadline_does_not_block) {
  tg::Vault vault("v", {a, b});
  EXPECT_EQ(vault.wait_for(a, 0s), tg::KeyWait::timed_out);
  EXPECT_EQ(vault.wait_for(a, -5s), tg::KeyWait::timed_out);
  vault.insert(a, 1);
  EXPECT_EQ(vault.wait_for(a), tg::KeyWait::present);
  EXPECT_EQ(vault.wait_for_all(0s, a, b), tg::KeyWait::timed_out);
}

TEST(VaultWait, wakes_when_the_key_is_inserted) {
  tg::Vault vault("v", {a, b});
  std::latch waiting(1);
  std::thread setter([&] {
    waiting.wait();
    vault.insert(b, "another key");
    vault.insert(a, 1);
  });
  waiting.count_down();
  EXPECT_EQ(vault.wait_for(a, 300s), tg::KeyWait::present);
  EXPECT_EQ(vault.wait_for_all(300s, a, b), tg::KeyWait::present);
  setter.join();
}

TEST(VaultWait, ends_when_the_callers_group_is_stopped) {
  tg::Vault vault("v", {a});
  tg::ThreadGroup group("g");
  std::latch waiting(1);
  auto waiter = group.add_task([&] {
    waiting.count_down();
    return vault.wait_for(a);
  });
  waiting.wait();
  group.set_event("enough");
  EXPECT_EQ(waiter.get(), tg::KeyWait::event_set);
  EXPECT_STREQ(to_string(tg::KeyWait::event_set), "event_set");
}

}  // namespace
}  // namespace vault_test
