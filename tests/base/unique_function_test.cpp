// SPDX-License-Identifier: Apache-2.0
// The owned callable: storage inside and outside, moves, arguments and results of all kinds.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <threadgroup/detail/unique_function.hpp>

namespace tg {
namespace unique_function_test {
namespace {

// Counts how many of them live, and whether they were moved.
struct Counts {
  int alive = 0;
  int moves = 0;
};

template <std::size_t Size, bool kThrowingMove>
struct Probe {
  explicit Probe(Counts& counts) : counts_(&counts) { ++counts_->alive; }
  Probe(Probe&& other) noexcept(!kThrowingMove) : counts_(other.counts_) {
    ++counts_->alive;
    ++counts_->moves;
  }
  Probe(const Probe&) = delete;
  ~Probe() { --counts_->alive; }
  int operator()(int x) { return x + static_cast<int>(Size); }

  Counts* counts_;
  std::array<char, Size> load_{};
};

using Small = Probe<1, false>;
using Large = Probe<200, false>;
using SmallThrowing = Probe<1, true>;

template <class P>
class UniqueFunctionOf : public testing::Test {};
using Probes = testing::Types<Small, Large, SmallThrowing>;
TYPED_TEST_SUITE(UniqueFunctionOf, Probes);

TYPED_TEST(UniqueFunctionOf, owns_calls_moves_and_destroys_its_callable) {
  Counts counts;
  {
    UniqueFunction<int(int)> f = TypeParam(counts);
    EXPECT_EQ(counts.alive, 1);
    const int expected = f(1);
    UniqueFunction<int(int)> g = std::move(f);
    EXPECT_FALSE(f);  // NOLINT: what a moved-from one is, is the point
    EXPECT_TRUE(g);
    EXPECT_EQ(counts.alive, 1);
    EXPECT_EQ(g(1), expected);

    UniqueFunction<int(int)> h = TypeParam(counts);
    EXPECT_EQ(counts.alive, 2);
    h = std::move(g);
    EXPECT_EQ(counts.alive, 1);
    EXPECT_EQ(h(1), expected);
    h = nullptr;
    EXPECT_FALSE(h);
    EXPECT_EQ(counts.alive, 0);
  }
  EXPECT_EQ(counts.alive, 0);
}

TEST(UniqueFunction, a_large_callable_stays_where_it_is) {
  Counts counts;
  UniqueFunction<int(int)> f = Large(counts);
  const int moves = counts.moves;
  UniqueFunction<int(int)> g = std::move(f);
  UniqueFunction<int(int)> h = std::move(g);
  EXPECT_EQ(counts.moves, moves);
  EXPECT_TRUE(h);
}

TEST(UniqueFunction, moves_without_throwing_whatever_it_holds) {
  static_assert(std::is_nothrow_move_constructible_v<UniqueFunction<int(int)>>);
  static_assert(std::is_nothrow_move_assignable_v<UniqueFunction<int(int)>>);
  static_assert(!std::is_copy_constructible_v<UniqueFunction<int(int)>>);
  Counts counts;
  UniqueFunction<int(int)> f = SmallThrowing(counts);
  const int moves = counts.moves;
  const UniqueFunction<int(int)> g = std::move(f);
  EXPECT_EQ(counts.moves, moves);  // so it is stored outside
}

TEST(UniqueFunction, empty_until_it_holds_something) {
  UniqueFunction<void()> nothing;
  UniqueFunction<void()> null = nullptr;
  EXPECT_FALSE(nothing);
  EXPECT_FALSE(null);
  null = std::move(nothing);
  EXPECT_FALSE(null);
  int calls = 0;
  null = [&calls] { ++calls; };
  null();
  EXPECT_EQ(calls, 1);
}

TEST(UniqueFunction, survives_being_assigned_to_itself) {
  UniqueFunction<int()> f = [p = std::make_unique<int>(7)] { return *p; };
  auto& same = f;
  f = std::move(same);
  ASSERT_TRUE(f);
  EXPECT_EQ(f(), 7);
}

TEST(UniqueFunction, passes_move_only_arguments_and_references) {
  UniqueFunction<int(std::unique_ptr<int>)> sink = [](std::unique_ptr<int> p) { return *p; };
  EXPECT_EQ(sink(std::make_unique<int>(3)), 3);

  UniqueFunction<int&(int&)> same = [](int& x) -> int& { return x; };
  int x = 1;
  EXPECT_EQ(&same(x), &x);
  UniqueFunction<std::unique_ptr<int>()> source = [] { return std::make_unique<int>(4); };
  EXPECT_EQ(*source(), 4);
}

TEST(UniqueFunction, drops_the_result_if_the_signature_returns_void) {
  int calls = 0;
  UniqueFunction<void()> f = [&calls] { return ++calls; };
  f();
  EXPECT_EQ(calls, 1);
}

int twice(int x) { return 2 * x; }
struct Point {
  int x;
  int shifted(int by) const { return x + by; }
};

TEST(UniqueFunction, takes_functions_and_members) {
  UniqueFunction<int(int)> function = twice;
  EXPECT_EQ(function(4), 8);
  UniqueFunction<int(const Point&)> field = &Point::x;
  EXPECT_EQ(field(Point{5}), 5);
  UniqueFunction<int(const Point&, int)> method = &Point::shifted;
  EXPECT_EQ(method(Point{5}, 2), 7);
}

TEST(UniqueFunction, keeps_the_alignment_of_its_callable) {
  struct alignas(64) Aligned {
    bool operator()() const { return reinterpret_cast<std::uintptr_t>(this) % 64 == 0; }
  };
  UniqueFunction<bool()> f = Aligned();
  EXPECT_TRUE(f());
}

TEST(UniqueFunction, passes_on_what_the_callable_throws) {
  UniqueFunction<void()> f = [] { throw std::runtime_error("no"); };
  EXPECT_THROW(f(), std::runtime_error);
  EXPECT_THROW(f(), std::runtime_error);  // and it is still there
}

template <std::size_t Size>
struct ThrowsWhenCopied {
  ThrowsWhenCopied() = default;
  ThrowsWhenCopied(const ThrowsWhenCopied&) { throw std::runtime_error("copy"); }
  ThrowsWhenCopied(ThrowsWhenCopied&&) noexcept {}
  void operator()() const {}
  std::array<char, Size> load{};
};

TEST(UniqueFunction, a_copy_that_throws_leaves_nothing_behind) {
  const ThrowsWhenCopied<1> small;
  const ThrowsWhenCopied<100> large;
  EXPECT_THROW(UniqueFunction<void()>{small}, std::runtime_error);
  EXPECT_THROW(UniqueFunction<void()>{large}, std::runtime_error);  // the leak checker watches
}

TEST(UniqueFunction, what_it_held_may_look_at_it_while_it_is_destroyed) {
  // The function is empty already when its callable's destructor runs, so that one cannot be destroyed twice.
  UniqueFunction<void()> f;
  bool empty_inside = false;
  struct Looks {
    UniqueFunction<void()>* f;
    bool* empty;
    Looks(UniqueFunction<void()>* g, bool* e) : f(g), empty(e) {}
    Looks(Looks&& o) noexcept : f(std::exchange(o.f, nullptr)), empty(o.empty) {}
    ~Looks() {
      if (f != nullptr) *empty = !*f;
    }
    void operator()() const {}
  };
  f = Looks(&f, &empty_inside);
  f = nullptr;
  EXPECT_TRUE(empty_inside);
}

}  // namespace
}  // namespace unique_function_test
}  // namespace tg
