// SPDX-License-Identifier: Apache-2.0
// Functions that run by themselves.
#include "support.hpp"

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <thread>
#include <vector>

#include <threadgroup/errors.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/vault.hpp>

#include "base/sanitizers.hpp"

namespace automatic_test {
namespace {

using tg::test::error_of;

const tg::Key<int> a{"a"};
const tg::Key<int> b{"b"};
const tg::Key<int> c{"c"};
const tg::Key<int> d{"d"};
const tg::KeyList kKeys{a, b, c, d};

int twice(int i) { return 2 * i; }
int sum(int i, int j) { return i + j; }
int fails(int) { throw std::runtime_error("out of ink"); }

TEST(Automatic, runs_once_when_the_last_input_comes) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  const auto automatic = vault.automatic(group, tg::inputs(a, b), tg::outputs(c), sum);
  vault.insert(b, 2);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(automatic.runs(), 0U);
  vault.insert(a, 1);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(automatic.runs(), 1U);
  EXPECT_EQ(vault.get(c), 3);
}

TEST(Automatic, runs_at_once_if_all_inputs_are_there_when_it_is_declared) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.insert(a, 1);
  vault.automatic(group, tg::inputs(a), tg::outputs(b), twice);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(b), 2);
}

TEST(Automatic, without_inputs_it_is_a_source_and_runs_when_declared) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, tg::inputs(), tg::outputs(a), [] { return 9; });
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(a), 9);
}

TEST(Automatic, either_list_of_keys_may_be_left_out) {
  tg::Vault vault("v", kKeys);
  std::atomic<int> seen{0};
  tg::ThreadGroup group("g");
  vault.automatic(group, tg::inputs(a), [&](int i) { seen += i; }, {.clean_outputs = true});
  vault.automatic(
      group, "sink", tg::inputs(a), [&](int i) { seen += i; }, [](int i) { return i > 5; });
  vault.automatic(group, tg::outputs(a), [] { return 9; });
  vault.automatic(
      group, "source", tg::outputs(b), [] { return 10; }, tg::BindOptions{.clean_outputs = true});
  EXPECT_TRUE(group.join());
  EXPECT_EQ(seen, 18);
  EXPECT_EQ(vault.get(b), 10);
}

TEST(Automatic, a_function_that_wants_a_token_first_gets_the_one_of_its_group) {
  tg::Vault vault("v", kKeys);
  std::binary_semaphore running(0);
  tg::ThreadGroup group("g");
  vault.automatic(
      group, tg::inputs(a), tg::outputs(b),
      [&](std::stop_token token, int i) {
        EXPECT_FALSE(token.stop_requested());
        std::binary_semaphore told(0);
        const std::stop_callback tell(token, [&] { told.release(); });
        running.release();
        told.acquire();
        return token.stop_requested() ? i : -1;
      },
      [](std::stop_token token, int) { return !token.stop_requested(); });
  vault.insert(a, 5);
  running.acquire();
  group.set_event();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(b), 5);
}

TEST(Automatic, inputs_that_come_in_one_step_make_one_run) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  const auto automatic = vault.automatic(group, tg::inputs(a, b), tg::outputs(c), sum);
  vault.insert_all(tg::entry(a, 1), tg::entry(b, 2));
  EXPECT_TRUE(group.join());
  EXPECT_EQ(automatic.runs(), 1U);
}

TEST(Automatic, chains_work_in_any_order_of_declaration_and_join_covers_them) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  vault.automatic(group, tg::inputs(c), tg::outputs(d), twice);
  vault.automatic(group, tg::inputs(b), tg::outputs(c), twice);
  vault.automatic(group, tg::inputs(a), tg::outputs(b), twice);
  vault.insert(a, 1);
  EXPECT_TRUE(group.wait_idle());
  EXPECT_EQ(vault.get(d), 8);
}

TEST(Automatic, runs_again_when_an_input_is_modified_and_its_outputs_follow) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  const auto automatic = vault.automatic(group, tg::inputs(a), tg::outputs(b), twice);
  for (int i = 1; i <= 100; ++i) vault.insert(a, i, tg::permit_modification);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(automatic.runs(), 100U);
  EXPECT_EQ(vault.get(b), 200);  // runs follow each other: the last input wins
}

TEST(Automatic, each_run_gets_the_values_of_its_own_set) {
  tg::Vault vault("v", kKeys);
  std::latch go(1);
  tg::ThreadGroup group("g");
  std::vector<int> seen;
  vault.automatic(group, tg::inputs(a), tg::outputs(), [&](int i) {
    go.wait();
    seen.push_back(i);
  });
  for (int i = 1; i <= 5; ++i) vault.insert(a, i, tg::permit_modification);
  go.count_down();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(seen, (std::vector{1, 2, 3, 4, 5}));
}

TEST(Automatic, an_optional_input_does_not_start_it_and_is_taken_along) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  const auto automatic = vault.automatic(group, tg::inputs(a, b), tg::outputs(c),
                                         [](int i, std::optional<int> j) { return i + j.value_or(100); });
  vault.insert(b, 1);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(automatic.runs(), 0U);
  vault.insert(a, 1);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(c), 2);
}

TEST(Automatic, with_a_condition_it_runs_only_if_that_is_true) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  const auto automatic = vault.automatic(group, "even only", tg::inputs(a), tg::outputs(b), twice,
                                         [](int i) { return i % 2 == 0; });
  vault.insert(a, 1);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(automatic.runs(), 0U);
  EXPECT_FALSE(vault.contains(b));
  EXPECT_HAS(vault.explain(), "condition was false");
  vault.insert(a, 2, tg::permit_modification);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(b), 4);
}

TEST(Automatic, a_cycle_is_refused_when_declared_and_its_path_is_named) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, "f", tg::inputs(a), tg::outputs(b), twice);
  vault.automatic(group, "g", tg::inputs(b), tg::outputs(c), twice);
  const auto text = error_of<tg::DeclarationError>(
      [&] { vault.automatic(group, "h", tg::inputs(c), tg::outputs(a), twice); });
  EXPECT_HAS(text, "c -> 'h' -> a -> 'f' -> b -> 'g' -> c");
  EXPECT_HAS(error_of<tg::DeclarationError>(
                 [&] { vault.automatic(group, "self", tg::inputs(d), tg::outputs(d), twice); }),
             "d -> 'self' -> d");
  vault.automatic(group, "h", tg::inputs(c), tg::outputs(d), twice);  // the refused ones left nothing behind
  vault.insert(a, 1);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(d), 8);
}

TEST(Automatic, a_second_producer_is_refused_when_declared_and_the_path_is_named) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, "f", tg::inputs(a), tg::outputs(c), twice);
  EXPECT_HAS(error_of<tg::DeclarationError>(
                 [&] { vault.automatic(group, "g", tg::inputs(b), tg::outputs(c), twice); }),
             "a -> 'f' -> c <- 'g' <- b");
}

TEST(Automatic, a_failure_leaves_the_outputs_absent_and_reaches_the_join_with_the_functions_name) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, "print", tg::inputs(a), tg::outputs(b), fails);
  vault.automatic(group, "bind", tg::inputs(b), tg::outputs(c), twice);
  vault.insert(a, 1);
  const auto result = group.wait_idle();
  ASSERT_EQ(result.failures.size(), 1U);
  EXPECT_EQ(result.failures[0].task, "print");
  EXPECT_EQ(tg::describe_exception(result.failures[0].exception), "out of ink");
  EXPECT_FALSE(vault.contains(b));
  EXPECT_HAS(vault.explain(), "'print': failed: out of ink");
  EXPECT_HAS(vault.explain(),
             "'bind': has not run; waits for b (produced by 'print', which failed: out of ink)");
}

TEST(Automatic, a_failed_rerun_takes_out_what_an_earlier_run_had_stored) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, tg::inputs(a), tg::outputs(b), [](int i) { return i > 1 ? fails(i) : i; });
  vault.insert(a, 1);
  EXPECT_TRUE(group.join());
  EXPECT_TRUE(vault.contains(b));
  vault.insert(a, 2, tg::permit_modification);
  EXPECT_EQ(group.wait_idle().failures.size(), 1U);
  EXPECT_FALSE(vault.contains(b));
}

TEST(Automatic, a_rejected_output_is_a_failure) {
  const tg::Key<int> small{"small", [](const int& i) { return i < 10; }};
  tg::Vault vault("v", {a, small});
  tg::ThreadGroup group("g");
  vault.automatic(group, tg::inputs(a), tg::outputs(small), twice);
  vault.insert(a, 50);
  EXPECT_THROW(static_cast<void>(group.join()), tg::ValueRejectedError);
  EXPECT_FALSE(vault.contains(small));
}

TEST(Automatic, a_failure_stops_the_rest_in_a_group_that_sets_its_event) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1, .on_failure = tg::OnFailure::set_event});
  vault.automatic(group, "print", tg::inputs(a), tg::outputs(b), fails);
  const auto later = vault.automatic(group, "later", tg::inputs(c), tg::outputs(d), twice);
  vault.insert(a, 1);
  EXPECT_EQ(group.wait_idle().failures.size(), 1U);
  EXPECT_TRUE(group.event_is_set());
  vault.insert(c, 1);
  EXPECT_TRUE(group.wait_idle());
  EXPECT_EQ(later.runs(), 0U);
  EXPECT_FALSE(vault.contains(d));
  EXPECT_HAS(later.explain(), "was skipped");
}

TEST(Automatic, explain_shows_what_each_waits_for_and_why_those_never_ran) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, "first", tg::inputs(a), tg::outputs(b), [](int) { return std::optional<int>(); });
  vault.automatic(group, "second", tg::inputs(b, c), tg::outputs(d), sum);
  EXPECT_HAS(vault.explain(), "'first': has not run; waits for a (no function produces it)");
  EXPECT_HAS(vault.explain(), "b (produced by 'first', which waits as well), c (no function produces it)");
  vault.insert(a, 1);
  EXPECT_TRUE(group.wait_idle());
  EXPECT_HAS(vault.explain(), "'first': ran once");
  EXPECT_HAS(vault.explain(),
             "'second': has not run; waits for b (produced by 'first', which ran and left it out)");
}

TEST(Automatic, the_picture_shows_keys_and_functions) {
  tg::Vault vault("flow", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, "make \"b\"", tg::inputs(a), tg::outputs(b), twice);
  vault.insert(c, 1);
  const std::string dot = vault.dot();
  EXPECT_HAS(dot, "digraph \"flow\"");
  EXPECT_HAS(dot, "label=\"make \\\"b\\\"\"");
  EXPECT_HAS(dot, "key0 -> automatic0;\n  automatic0 -> key1;");
  EXPECT_HAS(dot, "[label=\"c\", style=filled]");
}

TEST(Automatic, outputs_that_are_there_before_the_first_set_count_as_done) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.insert_all(tg::entry(a, 1), tg::entry(b, 77));
  const auto declared = vault.automatic(group, tg::inputs(a), tg::outputs(b), twice);
  const auto missing = vault.automatic(group, tg::inputs(b), tg::outputs(c), twice);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(declared.runs(), 0U);
  EXPECT_HAS(declared.explain(), "outputs were there already");
  EXPECT_EQ(missing.runs(), 1U);
  EXPECT_EQ(vault.get(b), 77);
}

TEST(Automatic, clean_outputs_are_taken_out_in_the_step_that_modifies_the_input) {
  tg::Vault vault("v", kKeys);
  std::latch go(1);
  tg::ThreadGroup group("g");
  vault.automatic(
      group, tg::inputs(a), tg::outputs(b),
      [&](int i) {
        if (i == 2) go.wait();
        return twice(i);
      },
      tg::BindOptions{.clean_outputs = true});
  vault.insert(a, 1);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(b), 2);
  vault.insert(a, 2, tg::permit_modification);
  EXPECT_FALSE(vault.contains(b));
  go.count_down();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(b), 4);
}

TEST(Automatic, works_with_anything_that_takes_posts) {
  struct Inline {
    void post(tg::UniqueFunction<void()> f) { f(); }
  } runner;
  tg::Vault vault("v", kKeys);
  vault.automatic(runner, tg::inputs(a), tg::outputs(b), twice);
  vault.insert(a, 4);
  EXPECT_EQ(vault.get(b), 8);
}

TEST(Automatic, a_run_that_cannot_be_started_throws_at_the_insert) {
  struct Full {
    void post(tg::UniqueFunction<void()>) { throw std::runtime_error("no place"); }
  } runner;
  tg::Vault vault("v", kKeys);
  const auto automatic = vault.automatic(runner, tg::inputs(a), tg::outputs(b), twice);
  EXPECT_HAS(error_of<std::runtime_error>([&] { vault.insert(a, 4); }), "no place");
  EXPECT_EQ(vault.get(a), 4);
  EXPECT_HAS(automatic.explain(), "could not be started: no place");
}

TEST(Automatic, a_run_that_cannot_be_started_is_made_up_for_by_the_next_insert) {
  struct Busy {
    void post(tg::UniqueFunction<void()> f) {
      if (!has_place) throw std::runtime_error("no place");
      f();
    }
    bool has_place = false;
  } runner;
  tg::Vault vault("v", kKeys);
  std::vector<int> seen;
  const auto automatic = vault.automatic(runner, tg::inputs(a), [&](int i) { seen.push_back(i); });
  EXPECT_THROW(vault.insert(a, 1), std::runtime_error);
  EXPECT_THROW(vault.insert(a, 2, tg::permit_modification), std::runtime_error);
  runner.has_place = true;
  vault.insert(a, 3, tg::permit_modification);
  EXPECT_EQ(seen, (std::vector{1, 2, 3}));  // once for each set, in their order
  EXPECT_EQ(automatic.runs(), 3U);
}

TEST(Automatic, an_insert_after_its_group_is_gone_stores_the_value_and_says_what_to_do) {
  tg::Vault vault("v", kKeys);
  std::optional<tg::Automatic> automatic;
  {
    tg::ThreadGroup group("short-lived");
    automatic = vault.automatic(group, "double", tg::inputs(a), tg::outputs(b), twice);
    vault.insert(a, 1);
    EXPECT_TRUE(group.join());
  }
  EXPECT_EQ(vault.get(b), 2);
  const auto text = error_of<tg::GroupGoneError>([&] { vault.insert(a, 2, tg::permit_modification); });
  EXPECT_HAS(text, "'double'");
  EXPECT_HAS(text, "'short-lived' has been destroyed");
  EXPECT_HAS(text, "declare the automatic again");
  EXPECT_EQ(vault.get(a), 2);
  EXPECT_EQ(automatic->runs(), 1U);
  EXPECT_HAS(automatic->explain(), "could not be started: its group 'short-lived' has been destroyed");
  vault.insert(c, 3);  // what it does not need goes as before
  EXPECT_THROW(vault.insert(a, 4, tg::permit_modification), tg::GroupGoneError);
}

TEST(Automatic, whose_group_is_gone_can_be_declared_again_and_runs_for_what_was_inserted_meanwhile) {
  tg::Vault vault("v", kKeys);
  std::vector<int> seen;
  {
    tg::ThreadGroup group("short-lived");
    vault.automatic(group, tg::inputs(a), tg::outputs(b), fails);
    vault.automatic(group, tg::inputs(a), [](int) { ADD_FAILURE(); });
  }
  EXPECT_THROW(vault.insert(a, 2), tg::GroupGoneError);
  tg::ThreadGroup group("lives longer");
  const auto made = vault.automatic(group, tg::inputs(a), tg::outputs(b), twice);
  vault.automatic(group, tg::inputs(a), [&](int i) { seen.push_back(i); });
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.get(b), 4);
  EXPECT_EQ(seen, std::vector{2});
  vault.insert(a, 3, tg::permit_modification);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(made.runs(), 2U);
  EXPECT_EQ(seen, (std::vector{2, 3}));
  EXPECT_HAS(vault.explain(), "2 automatics");
  EXPECT_THROW(vault.automatic(group, tg::inputs(c), tg::outputs(b), twice), tg::DeclarationError);
}

TEST(Automatic, groups_may_be_destroyed_while_others_insert) {
  for (int round = 0; round < 200; ++round) {
    tg::Vault vault("v", kKeys);
    auto group = std::make_unique<tg::ThreadGroup>("g");
    const auto automatic = vault.automatic(*group, tg::inputs(a), tg::outputs(b), twice);
    std::latch start(2);
    std::jthread inserts([&] {
      start.arrive_and_wait();
      for (int i = 1; i <= 20; ++i) {
        try {
          vault.insert(a, i, tg::permit_modification);
        } catch (const tg::GroupGoneError&) {
          EXPECT_EQ(vault.get(a), i);
        }
      }
    });
    start.arrive_and_wait();
    group.reset();
    inserts.join();
    EXPECT_LE(automatic.runs(), 20U);
    EXPECT_EQ(vault.get(a), 20);
    EXPECT_THROW(vault.insert(a, 21, tg::permit_modification), tg::GroupGoneError);
  }
}

TEST(Automatic, runs_may_outlive_the_vault) {
  std::latch go(1);
  std::atomic<int> seen{0};
  tg::ThreadGroup group("g");
  {
    tg::Vault vault("v", kKeys);
    vault.automatic(group, tg::inputs(a), tg::outputs(b), [&](int i) {
      go.wait();
      seen = i;
      return i;
    });
    vault.insert(a, 5);
  }
  go.count_down();
  EXPECT_TRUE(group.join());
  EXPECT_EQ(seen, 5);
}

// Twenty automatics, in three levels, whose inputs eight threads insert at the same time.
TEST(Automatic, twenty_run_exactly_once_each_in_many_rounds_with_8_threads_inserting) {
  constexpr int kRounds = tg::detail::kSanitized ? 150 : 500;
  constexpr int kInputs = 16;
  std::vector<tg::Key<int>> in;
  std::vector<tg::Key<int>> mid;
  std::vector<tg::Key<int>> out;
  tg::KeyList keys;
  for (int i = 0; i < kInputs; ++i) in.emplace_back("in" + std::to_string(i));
  for (int i = 0; i < 14; ++i) mid.emplace_back("mid" + std::to_string(i));
  for (int i = 0; i < 6; ++i) out.emplace_back("out" + std::to_string(i));
  for (const auto* list : {&in, &mid, &out}) {
    for (const auto& key : *list) keys.add(key);
  }
  tg::ThreadGroup group("g", {.max_concurrent_threads = 4});
  for (int round = 0; round < kRounds; ++round) {
    tg::Vault vault("v", keys);
    std::vector<std::atomic<int>> calls(20);
    for (std::size_t i = 0; i < 14; ++i) {
      vault.automatic(group, tg::inputs(in[i], in[i + 1], in[(i + 2) % 16]), tg::outputs(mid[i]),
                      [&calls, i](int x, int y, int z) {
                        ++calls[i];
                        return x + y + z;
                      });
    }
    for (std::size_t i = 0; i < 6; ++i) {
      vault.automatic(group, tg::inputs(mid[2 * i], mid[2 * i + 1], in[15 - i]), tg::outputs(out[i]),
                      [&calls, i](int x, int y, int z) {
                        ++calls[14 + i];
                        return x + y + z;
                      });
    }
    std::latch start(8);
    {
      std::vector<std::jthread> threads;
      for (std::size_t t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
          start.arrive_and_wait();
          if (t % 2 == 0) {
            vault.insert(in[t], 1);
            vault.insert(in[15 - t], 1);
          } else {
            vault.insert_all(tg::entry(in[t], 1), tg::entry(in[15 - t], 1));
          }
        });
      }
    }
    ASSERT_TRUE(group.join());
    for (std::size_t i = 0; i < calls.size(); ++i)
      ASSERT_EQ(calls[i], 1) << "automatic " << i << ", round " << round;
    for (const auto& key : out) ASSERT_EQ(vault.get(key), 7);
  }
}

}  // namespace
}  // namespace automatic_test
