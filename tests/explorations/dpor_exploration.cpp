// SPDX-License-Identifier: Apache-2.0
// The search with reduction against the one without: the same results, in far fewer schedules.
#include <threadgroup/detail/mutex.hpp>

#include <poll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/sanitizers.hpp"
#include "runtime/futex.hpp"
#include "runtime/steady_clock.hpp"
#include "sim/chooser.hpp"

#include "explorations/explore.hpp"

namespace tg::test {
namespace dpor_exploration {
namespace {

using detail::Atomic;
using detail::Mutex;
using detail::MutexLock;

constexpr std::size_t kMostSchedules = 50'000;

// Expects that both searches end with the same results, and returns how many schedules the one with reduction
// ran that do not equal another one.
std::size_t expect_same_results(const std::function<std::uint64_t()>& body) {
  const AllSchedules all = run_all(body, false, kMostSchedules);
  const AllSchedules reduced = run_all(body, true, kMostSchedules);
  EXPECT_TRUE(all.is_complete && reduced.is_complete);
  EXPECT_EQ(reduced.results, all.results);
  std::printf("             %zu schedules, %zu after reduction (%zu needless)\n", all.schedules,
              reduced.schedules, reduced.needless);
  return reduced.schedules - reduced.needless;
}

TEST(Dpor, flows_with_words_of_their_own_need_one_schedule) {
  const auto body = [] {
    std::array<Atomic<int>, 2> words{};
    const auto use = [&words](std::size_t i) {
      for (int n = 0; n < 3; ++n) words[i].store(words[i].load() + 1);
    };
    together({{"first", [&] { use(0); }}, {"second", [&] { use(1); }}});
    return static_cast<std::uint64_t>(10 * words[0].load() + words[1].load());
  };
  EXPECT_EQ(expect_same_results(body), 1U);
}

TEST(Dpor, reads_of_the_same_word_need_one_schedule) {
  const auto body = [] {
    Atomic<int> word{7};
    const auto read = [&word] { static_cast<void>(word.load() + word.load()); };
    together({{"first", read}, {"second", read}, {"third", read}});
    return std::uint64_t{0};
  };
  EXPECT_EQ(run_all(body, true, kMostSchedules).schedules, 1U);
}

TEST(Dpor, increments_come_in_each_order) {
  const auto body = [] {
    Atomic<std::uint64_t> word{0};
    std::array<std::uint64_t, 3> found{};
    const auto increment = [&](std::size_t i) { found[i] = word.fetch_add(1); };
    together({{"first", [&] { increment(0); }}, {"second", [&] { increment(1); }}, {"third", [&] {
                                                                                      increment(2);
                                                                                    }}});
    return found[0] * 100 + found[1] * 10 + found[2];
  };
  EXPECT_EQ(expect_same_results(body), 3U * 2U * 1U);
}

// Each flow writes a word and reads that of the other one: all but that both read the old values.
TEST(Dpor, store_buffering_has_three_schedules) {
  const auto body = [] {
    std::array<Atomic<std::uint64_t>, 2> words{};
    std::array<std::uint64_t, 2> found{};
    const auto run = [&](std::size_t i) {
      words[i].store(1);
      found[i] = words[1 - i].load();
    };
    together({{"first", [&] { run(0); }}, {"second", [&] { run(1); }}});
    return found[0] * 2 + found[1];
  };
  EXPECT_EQ(expect_same_results(body), 3U);
}

// In the search with reduction, a flow that wants a lock waits until it is free.
TEST(Dpor, critical_sections_come_in_each_order) {
  const auto body = [] {
    Mutex mutex;
    Atomic<std::uint64_t> order{0};
    const auto enter = [&](std::uint64_t who) {
      const MutexLock lock(mutex);
      order.store(order.load() * 10 + who);
    };
    together({{"first", [&] { enter(1); }}, {"second", [&] { enter(2); }}});
    return order.load();
  };
  EXPECT_EQ(expect_same_results(body), 2U);
}

TEST(Dpor, steps_of_a_lock_are_searched_on_request) {
  const auto body = [](bool looks) {
    return [looks] {
      if (looks) look_into_locks();
      Mutex mutex;
      const auto enter = [&] { const MutexLock lock(mutex); };
      together({{"first", enter}, {"second", enter}});
      return std::uint64_t{0};
    };
  };
  EXPECT_EQ(run_all(body(false), true, kMostSchedules).schedules, 2U);
  EXPECT_GT(run_all(body(true), true, kMostSchedules).schedules, 2U);
}

// The waker changes another word than the one on which the waiter looks before it sleeps.
TEST(Dpor, lost_wake_up_is_found) {
  expect_failure_of_search(
      [] {
        Atomic<bool> ready{false};
        Atomic<std::uint32_t> word{0};
        together({{"waiter",
                   [&] {
                     if (!ready.load()) runtime::futex_wait(word, 0, TimePoint::never());
                   }},
                  {"waker", [&] {
                     ready.store(true);
                     runtime::futex_wake(word, 1);
                   }}});
      },
      "deadlock", 4);
}

TEST(Dpor, lost_update_is_found) {
  expect_failure_of_search(
      [] {
        Atomic<int> word{0};
        const auto increment = [&word] { word.store(word.load() + 1); };
        together({{"first", increment}, {"second", increment}});
        require(word.load() == 2, "both count");
      },
      "both count", 3);
}

// The mistake needs a sleeper whose time is up while the other flow is between its two steps.
TEST(Dpor, time_out_that_comes_early_is_found) {
  expect_failure_of_search(
      [] {
        Atomic<std::uint32_t> word{0};
        Atomic<bool> begun{false};
        together({{"waiter",
                   [&] {
                     const TimePoint end = runtime::after(Duration::from_nanos(1000));
                     runtime::futex_wait(word, 0, end);
                     require(!begun.load() || runtime::now() < end || word.load() != 0, "in time");
                   }},
                  {"waker", [&] {
                     begun.store(true);
                     word.store(1);
                     runtime::futex_wake(word, 1);
                   }}});
      },
      "in time", 20);
}

TEST(Dpor, path_is_known_when_a_flow_blocks_in_the_system) {
  expect_failure_of_search(
      [] {
        Atomic<bool> ready{false};
        together({{"first", [&] { ready.store(true); }}, {"second", [&] {
                                                            if (!ready.load()) ::poll(nullptr, 0, -1);
                                                          }}});
      },
      "TG_SIM_REPLAY=path-", 3, 1);
}

TEST(Dpor, search_ends_early_if_there_are_too_many_flows) {
  const auto body = [] {
    Atomic<int> word{0};
    const auto add = [&word] { word.fetch_add(1); };
    for (int i = 0; i < 20; ++i) together({{"first", add}, {"second", add}});
    return static_cast<std::uint64_t>(word.load());
  };
  const AllSchedules some = run_all(body, true, kMostSchedules);
  EXPECT_EQ(some.schedules, 1U);
  EXPECT_FALSE(some.is_complete);
  EXPECT_EQ(some.results, std::set<std::uint64_t>{40});
}

// --- Random programs ---

struct Op {
  enum Kind { load, store, add, compare, lock, unlock, sleep, wake, clock, kinds };
  Kind kind;
  std::size_t word;
  std::uint32_t value;
};
using Program = std::vector<std::vector<Op>>;  // of each flow
constexpr std::size_t kWords = 2;

struct State {
  std::array<Atomic<std::uint32_t>, kWords> words{};
  std::array<Mutex, kWords> locks;
  std::array<std::uint64_t, 3> seen{};  // by each flow
};

void run_op(const Op& op, State& state, std::uint64_t& seen) TG_NO_THREAD_SAFETY_ANALYSIS {
  Atomic<std::uint32_t>& word = state.words[op.word];
  const auto see = [&seen](std::uint64_t value) { seen = seen * 31 + value + 1; };
  std::uint32_t expected = op.value - 1;
  switch (op.kind) {
    case Op::load:
      return see(word.load());
    case Op::store:
      return word.store(op.value);
    case Op::add:
      return see(word.fetch_add(op.value));
    case Op::compare:
      return see(word.compare_exchange_strong(expected, op.value) ? 1 : 0);
    case Op::lock:
      return state.locks[op.word].lock();
    case Op::unlock:
      return state.locks[op.word].unlock();
    case Op::sleep:
      return runtime::futex_wait(word, 0, runtime::after(Duration::from_nanos(100 * op.value)));
    case Op::wake:
      return static_cast<void>(runtime::futex_wake(word, 1));
    default:
      return see(static_cast<std::uint64_t>(runtime::now().nanos() / 100 % 1000));
  }
}

// What all flows have seen, and what is in the words in the end, as one number.
std::uint64_t run_program(const Program& program) {
  State state;
  std::vector<sim::Explorer::Part> parts;
  for (std::size_t flow = 0; flow < program.size(); ++flow) {
    parts.push_back({"flow", [&program, &state, flow] {
                       for (const Op& op : program[flow]) run_op(op, state, state.seen[flow]);
                     }});
  }
  together(parts);
  std::uint64_t result = 0;
  for (auto& word : state.words) result = result * 31 + word.load();
  for (const std::uint64_t seen : state.seen) result = result * 1'000'003 + seen;
  return result;
}

Program random_program(std::uint64_t seed) {
  sim::Random random(seed);
  const std::size_t flows = 2 + seed % 2;
  const std::size_t ops = flows == 2 ? 4 : 2 + random.below(2);
  // Only accesses, or locks as well, or everything. No flow sleeps while it holds a lock.
  const std::size_t kinds = seed % 4 < 2 ? Op::lock : Op::kinds;
  const bool sleeps = seed % 8 < 6;
  Program program(flows);
  for (auto& flow : program) {
    std::vector<std::size_t> held;
    while (flow.size() < ops) {
      Op op{static_cast<Op::Kind>(random.below(kinds)), random.below(kWords),
            static_cast<std::uint32_t>(1 + random.below(2))};
      if ((op.kind == Op::sleep || op.kind == Op::wake) && !sleeps) continue;
      if (op.kind == Op::lock || op.kind == Op::unlock) {
        if (sleeps) continue;
        // In the order of their numbers, so that there is no deadlock.
        op.kind = held.empty() || op.word > held.back() ? Op::lock : Op::unlock;
        if (op.kind == Op::unlock) op.word = std::exchange(held.back(), 0), held.pop_back();
        else held.push_back(op.word);
      }
      flow.push_back(op);
    }
    for (; !held.empty(); held.pop_back()) flow.push_back({Op::unlock, held.back(), 0});
  }
  return program;
}

std::string text_of(const Program& program) {
  const char* const names[] = {"load", "store", "add", "compare", "lock", "unlock", "sleep", "wake", "clock"};
  std::string text;
  for (const auto& flow : program) {
    text += "flow:";
    for (const Op& op : flow)
      text +=
          std::string(" ") + names[op.kind] + " w" + std::to_string(op.word) + " " + std::to_string(op.value);
    text += "\n";
  }
  return text;
}

TEST(Dpor, random_programs_have_the_results_that_they_have_without_reduction) {
  constexpr std::uint64_t kPrograms = TG_ADDRESS_SANITIZER ? 30 : 150;
  std::size_t compared = 0, all_schedules = 0, after_reduction = 0, needless = 0;
  for (std::uint64_t seed = 1; seed <= kPrograms; ++seed) {
    const Program program = random_program(seed);
    const auto body = [&program] { return run_program(program); };
    const AllSchedules all = run_all(body, false, 20'000);
    if (!all.is_complete) continue;
    const AllSchedules reduced = run_all(body, true, 20'000);
    ASSERT_TRUE(reduced.is_complete);
    ASSERT_EQ(reduced.results, all.results) << "seed " << seed << "\n" << text_of(program);
    ++compared;
    all_schedules += all.schedules;
    after_reduction += reduced.schedules;
    needless += reduced.needless;
  }
  EXPECT_GT(compared, kPrograms * 2 / 3);
  EXPECT_LT(10 * after_reduction, all_schedules);
  std::printf("             %zu programs, %zu schedules, %zu after reduction (%zu needless)\n", compared,
              all_schedules, after_reduction, needless);
}

}  // namespace
}  // namespace dpor_exploration
}  // namespace tg::test
