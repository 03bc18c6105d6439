// SPDX-License-Identifier: Apache-2.0
// Registering functions, replacing their arguments, and calling them directly.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>

#include <threadgroup/threadgroup.hpp>

namespace registered_functions_test {
namespace {

int plus_one(int x) { return x + 1; }
std::size_t length(const std::string& text) { return text.size(); }

template <class Error, class F>
std::string text_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(register_function, does_not_run_it) {
  int calls = 0;
  tg::ThreadGroup group;
  group.register_function("f", [&] { ++calls; });
  EXPECT_EQ(calls, 0);
  EXPECT_FALSE(group.executed());
  EXPECT_TRUE(group.get_results().empty());
}

TEST(register_function, returns_a_callable_that_calls_the_function_directly) {
  tg::ThreadGroup group;
  const auto f = group.register_function("plus_one", plus_one, 41);
  EXPECT_EQ(f(1), 2);
  EXPECT_EQ(group.statistics().total(), 0u);
  EXPECT_EQ(f.name(), "plus_one");
  static_assert(!std::is_invocable_v<decltype(f), std::string>);
}

TEST(register_function, the_callable_outlives_the_group) {
  auto group = std::make_unique<tg::ThreadGroup>();
  const tg::RegisteredFunction<int (*)(int)> f = group->register_function("plus_one", &plus_one, 1);
  group.reset();
  EXPECT_EQ(f(2), 3);
}

TEST(register_function, two_groups_keep_their_functions_apart) {
  tg::ThreadGroup first("first");
  tg::ThreadGroup second("second");
  first.register_function("f1", [] { return 1; });
  second.register_function("s1", [] { return 2; });
  EXPECT_EQ(first.execute().str(), "[(function=f1; result=1)]");
  EXPECT_TRUE(first.executed());
  EXPECT_FALSE(second.executed());
  EXPECT_EQ(second.execute().str(), "[(function=s1; result=2)]");
}

TEST(register_function, functions_may_share_a_name) {
  tg::ThreadGroup group;
  group.register_function("f", plus_one, 1);
  group.register_function("g", plus_one, 5);
  group.register_function("f", plus_one, 2);
  const tg::ResultList& results = group.execute();
  EXPECT_EQ(results.str(), "[(function=f; result=2), (function=g; result=6), (function=f; result=3)]");
  EXPECT_EQ(results.get("f").str(), "[(function=f; result=2), (function=f; result=3)]");
  EXPECT_TRUE(results.get("h").empty());
  const auto by_name = results.asdict();
  ASSERT_EQ(by_name.size(), 2u);
  ASSERT_EQ(by_name.at("f").size(), 2u);
  EXPECT_EQ(by_name.at("f")[1].as<int>(), 3);
  EXPECT_EQ(by_name.at("g")[0].as<int>(), 6);
}

TEST(register_function, an_empty_name_is_refused) {
  tg::ThreadGroup group;
  EXPECT_THROW(group.register_function("", [] {}), std::invalid_argument);
}

TEST(register_function, the_macro_gives_it_its_own_name) {
  tg::ThreadGroup group;
  TG_REGISTER(group, plus_one, 1);
  const auto hello = [] { return "hello"; };
  TG_REGISTER(group, hello);
  EXPECT_EQ(group.execute().str(), "[(function=plus_one; result=2), (function=hello; result=hello)]");
}

TEST(register_function, text_is_kept_as_long_as_the_registration) {
  tg::ThreadGroup group;
  {
    std::string text = "a text that is too long for the small buffer of a string";
    group.register_function(
        "view", [](std::string_view v) { return std::string(v); }, std::string_view(text));
    group.register_function(
        "c", [](const char* c) { return std::string(c); }, "literal");
    text.assign(text.size(), '#');
  }
  EXPECT_EQ(group.execute()[0].as<std::string>(), "a text that is too long for the small buffer of a string");
  EXPECT_EQ(group.get_results()[1].as<std::string>(), "literal");
}

TEST(register_function, std_ref_passes_a_reference) {
  int x = 0;
  tg::ThreadGroup group;
  group.register_function(
      "set", [](int& to) { to = 5; }, std::ref(x));
  group.execute();
  EXPECT_EQ(x, 5);
}

TEST(register_function, each_run_passes_the_arguments_afresh) {
  tg::ThreadGroup group;
  group.register_function(
      "take", [](std::string&& text) { return std::string(std::move(text)); }, "kept");
  group.register_function(
      "look", [](const std::unique_ptr<int>& p) { return *p; }, std::make_unique<int>(3));
  EXPECT_EQ(group.execute().str(), "[(function=take; result=kept), (function=look; result=3)]");
  EXPECT_EQ(group.execute().str(), "[(function=take; result=kept), (function=look; result=3)]");
}

TEST(register_function, one_that_takes_a_stop_token_gets_the_groups) {
  tg::ThreadGroup group;
  group.register_function(
      "f",
      [&](std::stop_token token, int x) {
        const bool before = token.stop_requested();
        group.set_event("enough");
        return std::tuple(before, token.stop_requested(), x);
      },
      9);
  EXPECT_EQ(group.execute().str(), "[(function=f; result=(false, true, 9))]");
}

TEST(update_fn_args, replaces_the_arguments) {
  tg::ThreadGroup group;
  group.register_function("f", plus_one, 1);
  group.register_function("length", length, "four");
  EXPECT_EQ(group.execute().str(), "[(function=f; result=2), (function=length; result=4)]");
  group.update_fn_args("f", 10);
  group.update_fn_args("length", std::string("sixsix"));
  EXPECT_EQ(group.execute().str(), "[(function=f; result=11), (function=length; result=6)]");
  group.update_fn_args("length", "a literal");
  EXPECT_EQ(group.execute()[1].as<std::size_t>(), 9u);
}

TEST(update_fn_args, takes_numbers_of_other_types_that_fit) {
  tg::ThreadGroup group;
  group.register_function(
      "long", [](long x) { return x; }, 1);
  group.register_function(
      "double", [](double x) { return x; }, 1.5);
  group.register_function(
      "byte", [](unsigned char x) { return x; }, 1);
  group.update_fn_args("long", 5'000'000'000L);
  group.update_fn_args("double", 2);
  group.update_fn_args("byte", 255);
  EXPECT_EQ(group.execute().str(),
            "[(function=long; result=5000000000), (function=double; result=2), "
            "(function=byte; result=255)]");
  EXPECT_EQ(text_of<tg::ArgumentError>([&] { group.update_fn_args("byte", 256); }),
            "function 'byte': argument 1 is 256, which does not fit into a unsigned char");
  EXPECT_THROW(group.update_fn_args("byte", -1), tg::ArgumentError);
  EXPECT_THROW(group.update_fn_args("byte", ~0ULL), tg::ArgumentError);
}

TEST(update_fn_args, of_the_wrong_number_names_the_function) {
  tg::ThreadGroup group;
  group.register_function("f", plus_one, 1);
  EXPECT_EQ(text_of<std::invalid_argument>([&] { group.update_fn_args("f", 1, 2); }),
            "function 'f' takes 1 argument, and 2 were given");
  EXPECT_EQ(text_of<std::invalid_argument>([&] { group.update_fn_args("f"); }),
            "function 'f' takes 1 argument, and 0 were given");
}

TEST(update_fn_args, of_wrong_types_names_function_and_types_and_changes_nothing) {
  tg::ThreadGroup group;
  group.register_function(
      "f", [](int a, int b) { return a + b; }, 1, 2);
  EXPECT_EQ(text_of<std::invalid_argument>([&] { group.update_fn_args("f", 5, std::string("x")); }),
            "function 'f': argument 2 is of type std::string, and the function keeps a int there");
  EXPECT_THROW(group.update_fn_args("f", 1.5, 2), tg::ArgumentError);
  EXPECT_EQ(group.execute()[0].as<int>(), 3);
}

TEST(update_fn_args, of_an_unknown_name_lists_the_known_ones) {
  tg::ThreadGroup group("g");
  EXPECT_EQ(text_of<std::out_of_range>([&] { group.update_fn_args("f", 1); }),
            "group 'g' has no function 'f'; it has none");
  group.register_function("f1", plus_one, 1);
  group.register_function("f2", plus_one, 1);
  EXPECT_EQ(text_of<std::out_of_range>([&] { group.update_fn_args("f", 1); }),
            "group 'g' has no function 'f'; it has f1, f2");
}

TEST(update_fn_args, of_a_name_that_several_have_is_refused) {
  tg::ThreadGroup group("g");
  group.register_function("f", plus_one, 1);
  const auto second = group.register_function("f", plus_one, 2);
  EXPECT_THROW(group.update_fn_args("f", 1), std::invalid_argument);
  second.update_args(7);
  EXPECT_EQ(group.execute().str(), "[(function=f; result=2), (function=f; result=8)]");
}

template <class F, class... Args>
concept CanUpdate = requires(const F& f, Args... args) {
  f.update_args(args...);
};

TEST(update_args, of_the_callable_is_checked_by_the_compiler) {
  tg::ThreadGroup group;
  const auto f = group.register_function("f", plus_one, 1);
  using Registered = decltype(f);
  static_assert(CanUpdate<Registered, int>);
  static_assert(CanUpdate<Registered, short>);
  static_assert(!CanUpdate<Registered, std::string>);
  static_assert(!CanUpdate<Registered, int, int>);
  static_assert(!CanUpdate<Registered>);
  f.update_args(5);
  EXPECT_EQ(group.execute()[0].as<int>(), 6);
}

TEST(update_args, of_a_generic_function_may_change_the_types) {
  tg::ThreadGroup group;
  const auto f = group.register_function(
      "f", [](const auto& x) { return x; }, 1);
  f.update_args("text");
  EXPECT_EQ(group.execute().str(), "[(function=f; result=text)]");
}

}  // namespace
}  // namespace registered_functions_test
