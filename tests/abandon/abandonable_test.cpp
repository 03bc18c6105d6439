// SPDX-License-Identifier: Apache-2.0
// Calls that are left behind when their caller is stopped: who gets the result, what is destroyed where, what they see.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <shared_mutex>
#include <span>
#include <stack>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "abandon/gate.hpp"
#include "support/eventually.hpp"

namespace tg::test {
namespace abandonable_test {
namespace {
// A container of itself: only the program knows.
struct Tree : std::map<std::string, Tree> {};
struct Handle;  // of a C library
struct Cursor {
  const int* at = nullptr;
};
}  // namespace
}  // namespace abandonable_test
}  // namespace tg::test

template <>
struct tg::OwnsWhatItUses<tg::test::abandonable_test::Tree> : std::true_type {};
template <>
struct tg::OwnsWhatItUses<tg::test::abandonable_test::Cursor> : std::false_type {};

namespace tg::test {
namespace abandonable_test {
namespace {

using namespace std::chrono_literals;

using Abandonable = NoCallLeft;

// --- What the compiler refuses ---

struct Holder {
  int operator()(int x) const { return x + base; }
  int base = 0;
};
struct Stateless {
  int operator()(int x) const { return x; }
};

template <class F, class... Args>
inline constexpr bool kCanBeAbandoned = detail::kHasNoState<F> && (detail::owns_what_it_uses<Args>() && ...);

TEST_F(Abandonable, call_takes_values_that_own_what_they_use) {
  using Function = int (*)(int);
  static_assert(kCanBeAbandoned<Function, int, std::string, std::unique_ptr<int>, std::shared_ptr<int>>);
  static_assert(kCanBeAbandoned<Stateless, std::vector<std::string>, std::map<int, std::string>, Holder>);
  static_assert(kCanBeAbandoned<int (Holder::*)(int) const, Holder, std::filesystem::path>);
  static_assert(!kCanBeAbandoned<Holder, int>);
  static_assert(!kCanBeAbandoned<Function, int*>);
  static_assert(!kCanBeAbandoned<Function, const char*>);
  static_assert(!kCanBeAbandoned<Function, std::reference_wrapper<int>>);
  static_assert(!kCanBeAbandoned<Function, std::string_view>);
  static_assert(!kCanBeAbandoned<Function, std::span<int>>);
  static_assert(!kCanBeAbandoned<Function, std::vector<int>::iterator>);
  static_assert(!kCanBeAbandoned<Function, std::vector<std::string_view>>);
  static_assert(!kCanBeAbandoned<Function, std::pair<int, int*>>);
  static_assert(!kCanBeAbandoned<Function, std::tuple<std::optional<char*>>>);
  static_assert(!kCanBeAbandoned<Function, std::map<int, const char*>>);
}

TEST_F(Abandonable, call_refuses_what_the_standard_library_has_to_refer_to_others) {
  using Function = int (*)(int);
  static_assert(!kCanBeAbandoned<Function, std::initializer_list<int>>);  // a reference to the caller's array
  static_assert(!kCanBeAbandoned<Function, std::vector<std::initializer_list<int>>>);
  static_assert(!kCanBeAbandoned<Function, std::variant<int, const char*>>);
  static_assert(!kCanBeAbandoned<Function, std::stack<int*>>);
  static_assert(!kCanBeAbandoned<Function, std::queue<std::string_view>>);
  static_assert(!kCanBeAbandoned<Function, std::priority_queue<int*>>);
  static_assert(!kCanBeAbandoned<Function, std::unique_ptr<std::string_view>>);
  static_assert(!kCanBeAbandoned<Function, std::unique_ptr<int, std::default_delete<int>&>>);
  static_assert(!kCanBeAbandoned<Function, std::shared_ptr<int*>>);
  static_assert(!kCanBeAbandoned<Function, std::weak_ptr<std::vector<int*>>>);
  static_assert(!kCanBeAbandoned<Function, std::unique_lock<std::mutex>>);
  static_assert(!kCanBeAbandoned<Function, std::shared_lock<std::shared_mutex>>);
  static_assert(!kCanBeAbandoned<Function, std::atomic_ref<int>>);
  static_assert(!kCanBeAbandoned<Function, std::vector<bool>::reference>);
  static_assert(!kCanBeAbandoned<Function, const std::optional<const std::string_view>>);
  static_assert(!kCanBeAbandoned<Function, FunctionRef<void()>>);
  static_assert(kCanBeAbandoned<Function, std::variant<int, std::string>, std::queue<std::string>>);
  static_assert(kCanBeAbandoned<Function, std::vector<bool>, std::shared_ptr<void>, std::shared_ptr<Handle>>);
  static_assert(
      kCanBeAbandoned<Function, std::unique_ptr<std::FILE, int (*)(std::FILE*)>, std::function<void()>>);
}

TEST_F(Abandonable, program_says_what_the_compiler_cannot_find_out) {
  static_assert(kCanBeAbandoned<int (*)(int), Tree>);
  static_assert(!kCanBeAbandoned<int (*)(int), Cursor>);
  static_assert(!kCanBeAbandoned<int (*)(int), std::vector<Cursor>>);
  const StopScope scope;
  EXPECT_EQ(abandonable([](const Tree& tree) { return tree.size(); }, Tree{}), 0u);
}

// --- Calls that end ---

TEST_F(Abandonable, call_returns_what_the_function_returns) {
  const StopScope scope;
  EXPECT_EQ(
      abandonable([](int a, const std::string& b) { return b + std::to_string(a); }, 7, std::string("x")),
      "x7");
  EXPECT_EQ(*abandonable([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(5)), 5);
  EXPECT_EQ(abandonable(&Holder::operator(), Holder{3}, 4), 7);
  static std::atomic<int> calls{0};
  calls = 0;
  abandonable([] { ++calls; });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(abandoned(), 0u);
}

TEST_F(Abandonable, call_runs_on_another_thread) {
  const StopScope scope;
  EXPECT_NE(abandonable([] { return std::this_thread::get_id(); }), std::this_thread::get_id());
}

TEST_F(Abandonable, call_that_nothing_can_stop_is_made_directly) {
  EXPECT_EQ(abandonable([] { return std::this_thread::get_id(); }), std::this_thread::get_id());
  EXPECT_THROW(abandonable([] { throw std::out_of_range("far"); }), std::out_of_range);
}

TEST_F(Abandonable, call_inside_another_one_is_made_directly) {
  const StopScope scope;
  EXPECT_TRUE(abandonable(
      [] { return abandonable([] { return std::this_thread::get_id(); }) == std::this_thread::get_id(); }));
}

TEST_F(Abandonable, call_in_a_scope_or_a_group_of_another_one_waits_for_no_permit) {
  set_max_abandonable_calls(1);
  const StopScope scope;
  EXPECT_EQ(abandonable([] {
              const StopScope inner(600s);
              return abandonable([] { return 3; });
            }),
            3);
  EXPECT_EQ(abandonable([] {
              const Shield inner(600s);
              return abandonable([] { return 4; });
            }),
            4);
  EXPECT_EQ(abandonable([] {
              ThreadGroup inner("inner");
              return inner.add_task([] { return abandonable([] { return 5; }); }).get();
            }),
            5);
}

TEST_F(Abandonable, exception_of_the_call_reaches_the_caller) {
  const StopScope scope;
  try {
    abandonable([](int n) { throw std::out_of_range("after " + std::to_string(n)); }, 3);
    FAIL();
  } catch (const std::out_of_range& e) {
    EXPECT_STREQ(e.what(), "after 3");
  }
}

// --- Calls that are abandoned ---

TEST_F(Abandonable, call_of_a_stopped_task_is_left_behind_and_the_task_ends_as_stopped) {
  const SharedGate gate = new_gate();
  ThreadGroup group("group");
  const auto task = group.add_task([&] { return abandonable(pass, gate); });
  gate->has_begun.acquire();
  group.set_event("enough");
  const JoinResult joined = group.join();  // while the call still runs
  EXPECT_EQ(joined.counts.stopped, 1u);
  EXPECT_EQ(abandoned(), 1u);
  gate->may_end.release();
}

TEST_F(Abandonable, deadline_is_a_scope_around_the_call) {
  // On a busy machine the deadline may come before the call has begun; then it is later in the next round.
  bool has_begun = false;
  for (auto limit = 10ms; !has_begun; limit *= 2) {
    const SharedGate gate = new_gate();
    const StopScope scope(limit, "two ticks");
    std::string said;
    try {
      abandonable(TaskName("gauge"), pass, gate);
      FAIL();
    } catch (const Stopped& e) {
      EXPECT_EQ(e.reason().kind, ReasonKind::deadline);
      said = e.what();
    }
    EXPECT_TRUE(scope.timed_out());
    has_begun = gate->has_begun.try_acquire();
    if (!has_begun) continue;
    EXPECT_NE(said.find("call 'gauge' was abandoned, because its caller was stopped: deadline"),
              std::string::npos)
        << said;
  }
}

TEST_F(Abandonable, call_of_a_stopped_caller_is_not_made) {
  StopScope scope;
  scope.set_event("enough");
  static std::atomic<int> calls{0};
  calls = 0;
  EXPECT_THROW(abandonable([] { ++calls; }), Stopped);
  EXPECT_EQ(calls, 0);
}

// An object that says on which thread it was destroyed.
class Traced {
 public:
  explicit Traced(std::shared_ptr<std::atomic<int>> elsewhere)
      : elsewhere_(std::move(elsewhere)), made_on_(std::this_thread::get_id()) {}
  Traced(Traced&&) = default;
  ~Traced() {
    if (elsewhere_ && std::this_thread::get_id() != made_on_) ++*elsewhere_;
  }

 private:
  std::shared_ptr<std::atomic<int>> elsewhere_;
  std::thread::id made_on_;
};

TEST_F(Abandonable, thread_destroys_arguments_and_result_of_an_abandoned_call) {
  const SharedGate gate = new_gate();
  const auto destroyed = std::make_shared<std::atomic<int>>(0);
  {
    StopScope scope;
    const StopOnceBegun stop(scope, gate);
    EXPECT_THROW(abandonable(
                     [](const SharedGate& g, const Traced&, Traced&& result) {
                       pass(g);
                       return std::move(result);
                     },
                     gate, Traced(destroyed), Traced(destroyed)),
                 Stopped);
  }
  EXPECT_EQ(*destroyed, 0);
  gate->may_end.release();
  eventually([&] { return *destroyed == 2; });
  eventually([&] { return destroyed.use_count() == 1; });
}

// Its destructor says where it runs.
struct Last {
  explicit Last(SharedGate of) : gate(std::move(of)) {}
  Last(Last&&) = default;
  ~Last() {
    if (!gate) return;
    EXPECT_EQ(thread_utils::current_path(), "MainThread/gauges/driver");
    EXPECT_TRUE(thread_utils::event_is_set());
    gate->has_begun.release();
  }
  SharedGate gate;
};

TEST_F(Abandonable, arguments_of_an_abandoned_call_are_destroyed_inside_it) {
  const SharedGate gate = new_gate();
  StopScope scope("gauges");
  const StopOnceBegun stop(scope, gate);
  EXPECT_THROW(abandonable(
                   TaskName("driver"), [](const SharedGate& g, const Last&) { pass(g); }, gate, Last(gate)),
               Stopped);
  gate->may_end.release();
  gate->has_begun.acquire();
}

struct Failed : std::runtime_error {
  explicit Failed(std::shared_ptr<std::atomic<int>> of)
      : std::runtime_error("failed"), trace(std::move(of)) {}
  std::shared_ptr<std::atomic<int>> trace;
};

TEST_F(Abandonable, thread_destroys_the_exception_of_an_abandoned_call) {
  const SharedGate gate = new_gate();
  const auto trace = std::make_shared<std::atomic<int>>(0);
  {
    StopScope scope;
    const StopOnceBegun stop(scope, gate);
    EXPECT_THROW(abandonable(
                     [](const SharedGate& g, std::shared_ptr<std::atomic<int>> t) {
                       pass(g);
                       throw Failed(std::move(t));
                     },
                     gate, trace),
                 Stopped);
  }
  gate->may_end.release();
  eventually([&] { return trace.use_count() == 1; });
}

// --- What the call sees ---

TEST_F(Abandonable, call_sees_the_stop_of_its_caller) {
  const SharedGate gate = new_gate();
  ThreadGroup group("group");
  const auto task = group.add_task([&] {
    abandonable(
        [](const SharedGate& g) {
          g->has_begun.release();
          EXPECT_FALSE(thread_utils::event_aware_sleep(600s));
          EXPECT_EQ(thread_utils::reason()->message, "enough");
          ThreadGroup below("below");
          EXPECT_TRUE(below.event_is_set());
          g->may_end.release();
        },
        gate);
  });
  gate->has_begun.acquire();
  group.set_event("enough");
  group.join();
  gate->may_end.acquire();
}

TEST_F(Abandonable, call_is_no_part_of_the_callers_group) {
  ThreadGroup group("group");
  group
      .add_task([] {
        abandonable([] {
          EXPECT_THROW(thread_utils::set_event(), NoGroupError);
          EXPECT_EQ(thread_utils::current_path(), "MainThread/group/task 1");
        });
      })
      .get();
}

}  // namespace
}  // namespace abandonable_test
}  // namespace tg::test
