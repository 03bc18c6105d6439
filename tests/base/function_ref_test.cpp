// SPDX-License-Identifier: Apache-2.0
// The borrowed callable: what it takes, and that it takes nothing over.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <type_traits>

#include <threadgroup/detail/unique_function.hpp>

namespace tg {
namespace function_ref_test {
namespace {

int call(FunctionRef<int(int)> f, int x) { return f(x); }
int twice(int x) { return 2 * x; }

TEST(FunctionRef, calls_a_lambda_with_its_state) {
  int calls = 0;
  EXPECT_EQ(call(
                [&](int x) {
                  ++calls;
                  return x + 1;
                },
                1),
            2);
  EXPECT_EQ(calls, 1);
}

TEST(FunctionRef, calls_a_plain_function) {
  EXPECT_EQ(call(twice, 4), 8);
  EXPECT_EQ(call(&twice, 4), 8);
}

TEST(FunctionRef, copies_nothing) {
  struct NotCopyable {
    NotCopyable() = default;
    NotCopyable(const NotCopyable&) = delete;
    int operator()(int x) { return last = x; }
    int last = 0;
  };
  NotCopyable f;
  EXPECT_EQ(call(f, 5), 5);
  EXPECT_EQ(f.last, 5);
}

TEST(FunctionRef, takes_const_callables_and_std_function) {
  const auto constant = [](int x) { return x - 1; };
  EXPECT_EQ(call(constant, 3), 2);
  const std::function<int(int)> wrapped = twice;
  EXPECT_EQ(call(wrapped, 3), 6);
}

TEST(FunctionRef, a_copy_refers_to_the_same_callable) {
  int sum = 0;
  const auto add = [&](int x) { return sum += x; };
  const FunctionRef<int(int)> first = add;
  const FunctionRef<int(int)> second = first;
  EXPECT_EQ(first(1), 1);
  EXPECT_EQ(second(2), 3);
}

TEST(FunctionRef, passes_move_only_arguments_through) {
  const auto sink = [](std::unique_ptr<int> p) { return *p; };
  const FunctionRef<int(std::unique_ptr<int>)> ref = sink;
  EXPECT_EQ(ref(std::make_unique<int>(9)), 9);
}

TEST(FunctionRef, refuses_what_it_could_not_call) {
  static_assert(!std::is_constructible_v<FunctionRef<int(int)>, int>);
  static_assert(!std::is_constructible_v<FunctionRef<bool()>, decltype([](int) { return true; })>);
  SUCCEED();
}

}  // namespace
}  // namespace function_ref_test
}  // namespace tg
