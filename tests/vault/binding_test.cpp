// SPDX-License-Identifier: Apache-2.0
// Functions bound to keys.
#include "support.hpp"

#include <memory>
#include <semaphore>
#include <stop_token>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/vault.hpp>

namespace binding_test {
namespace {

using tg::test::error_of;

const tg::Key<int> a{"a"};
const tg::Key<std::string> b{"b"};
const tg::Key<double> c{"c"};

int length(const std::string& s) { return static_cast<int>(s.size()); }

TEST(Bind, takes_its_input_from_the_vault_and_stores_and_returns_what_it_returns) {
  tg::Vault vault("v", {a, b, c});
  vault.insert(b, "four");
  const auto call = vault.bind(tg::inputs(b), tg::outputs(a), length);
  EXPECT_EQ(call(), 4);
  EXPECT_EQ(vault.get(a), 4);
}

TEST(Bind, runs_in_a_group_as_any_callable) {
  tg::Vault vault("v", {a, b, c});
  tg::ThreadGroup group("g");
  vault.insert(b, "four");
  auto handle = group.add_task(vault.bind(tg::inputs(b), tg::outputs(a), length));
  EXPECT_EQ(handle.get(), 4);
  EXPECT_EQ(vault.get(a), 4);
}

TEST(Bind, either_list_of_keys_may_be_left_out) {
  tg::Vault vault("v", {a, b, c});
  vault.bind(tg::outputs(a), [] { return 4; })();
  EXPECT_EQ(vault.bind(tg::inputs(a), [](int i) { return i + 1; })(), 5);
  const auto sink = vault.bind("sink", tg::inputs(a), [](int) {});
  EXPECT_EQ(sink.name(), "sink");
  sink();
  EXPECT_EQ(vault.get(a), 4);
  const auto source = vault.bind("source", tg::outputs(a, b), [] { return std::tuple(7, "seven"); },
                                 {.permit_modification = true});
  EXPECT_EQ(source.name(), "source");
  source();
  EXPECT_EQ(vault.get_all(a, b), (std::tuple<int, std::string>(7, "seven")));
}

TEST(Bind, a_function_that_wants_a_token_first_gets_the_one_of_its_group) {
  tg::Vault vault("v", {a, b, c});
  vault.insert(b, "four");
  tg::ThreadGroup group("g");
  std::binary_semaphore running(0);
  const auto handle = group.add_task(
      vault.bind(tg::inputs(b), tg::outputs(a), [&](std::stop_token token, const std::string& text) {
        EXPECT_TRUE(token.stop_possible());
        EXPECT_FALSE(token.stop_requested());
        std::binary_semaphore told(0);
        const std::stop_callback tell(token, [&] { told.release(); });
        running.release();
        told.acquire();
        EXPECT_TRUE(token.stop_requested());
        return length(text);
      }));
  running.acquire();
  group.set_event();
  EXPECT_EQ(handle.get(), 4);
}

TEST(Bind, a_function_that_wants_a_token_gets_one_that_is_never_stopped_outside_a_task) {
  tg::Vault vault("v", {a, b, c});
  const auto source = vault.bind(tg::outputs(a), [](const std::stop_token& token) {
    EXPECT_FALSE(token.stop_possible());
    return 1;
  });
  EXPECT_EQ(source(), 1);
  const auto generic = vault.bind(tg::inputs(a), [](std::stop_token token, const auto& i) {
    static_assert(std::is_same_v<decltype(i), const int&>);
    return token.stop_possible() ? 0 : i;
  });
  EXPECT_EQ(generic(), 1);
  const auto none = vault.bind(
      tg::inputs(b), [](std::stop_token, std::optional<std::string> text) { return !text.has_value(); });
  EXPECT_TRUE(none());
}

TEST(Bind, a_bound_function_called_inside_a_task_gets_the_token_of_the_tasks_group) {
  tg::Vault vault("v", {a, b, c});
  tg::ThreadGroup group("g");
  const auto bound =
      vault.bind(tg::outputs(a), [](std::stop_token token) { return token.stop_possible() ? 1 : 0; });
  EXPECT_EQ(group.add_task([&] { return bound(); }).get(), 1);
}

TEST(Bind, a_tuple_is_stored_in_one_step) {
  const tg::Key<double> checked{"checked", [](const double& d) { return d > 0; }};
  tg::Vault vault("v", {a, b, checked});
  const auto good = vault.bind(tg::inputs(), tg::outputs(a, checked), [] { return std::tuple(1, 2.5); });
  const auto bad = vault.bind(tg::inputs(), tg::outputs(a, checked), [] { return std::tuple(1, -2.5); });
  EXPECT_THROW(bad(), tg::ValueRejectedError);
  EXPECT_EQ(vault.size(), 0U);
  good();
  EXPECT_EQ(vault.get_all(a, checked), (std::tuple<int, double>(1, 2.5)));
}

TEST(Bind, a_missing_input_is_an_error_that_names_it) {
  tg::Vault vault("v", {a, b, c});
  const auto call = vault.bind(tg::inputs(a, b), tg::outputs(), [](int, const std::string&) {});
  const auto text = error_of<tg::MissingKeyError>(call);
  EXPECT_HAS(text, "'a'");
  EXPECT_HAS(text, "'b'");
}

TEST(Bind, an_optional_parameter_lets_the_input_be_missing) {
  tg::Vault vault("v", {a, b, c});
  const auto call =
      vault.bind(tg::inputs(a), tg::outputs(), [](std::optional<int> i) { return i.value_or(-1); });
  EXPECT_EQ(call(), -1);
  vault.insert(a, 3);
  EXPECT_EQ(call(), 3);
}

TEST(Bind, an_optional_result_lets_the_output_be_missing) {
  tg::Vault vault("v", {a, b, c});
  const auto none =
      vault.bind(tg::inputs(), tg::outputs(a), []() -> std::optional<int> { return std::nullopt; });
  none();
  EXPECT_FALSE(vault.contains(a));
  const auto half = vault.bind(tg::inputs(), tg::outputs(a, b), [] {
    return std::tuple(std::optional<int>(), std::optional<std::string>("x"));
  });
  half();
  EXPECT_FALSE(vault.contains(a));
  EXPECT_EQ(vault.get(b), "x");
}

TEST(Bind, a_key_of_an_optional_type_is_no_missing_value) {
  const tg::Key<std::optional<int>> maybe{"maybe"};
  tg::Vault vault("v", {maybe});
  vault.bind(tg::inputs(), tg::outputs(maybe), []() -> std::optional<int> { return std::nullopt; })();
  EXPECT_TRUE(vault.contains(maybe));
  EXPECT_TRUE(
      vault.bind(tg::inputs(maybe), tg::outputs(), [](std::optional<int> i) { return !i.has_value(); })());
}

TEST(Bind, a_shared_parameter_takes_the_value_without_a_copy) {
  const tg::Key<std::unique_ptr<int>> key{"key"};
  tg::Vault vault("v", {key});
  vault.insert(key, std::make_unique<int>(5));
  const auto call = vault.bind(tg::inputs(key), tg::outputs(),
                               [](std::shared_ptr<const std::unique_ptr<int>> value) { return **value; });
  EXPECT_EQ(call(), 5);
}

TEST(Bind, a_result_that_can_only_be_moved_is_stored_and_not_returned) {
  const tg::Key<std::unique_ptr<int>> key{"key"};
  tg::Vault vault("v", {key});
  const auto call = vault.bind(tg::inputs(), tg::outputs(key), [] { return std::make_unique<int>(6); });
  static_assert(std::is_void_v<decltype(call())>);
  call();
  EXPECT_EQ(**vault.share(key), 6);
}

TEST(Bind, a_generic_lambda_gets_const_references) {
  tg::Vault vault("v", {a, b});
  vault.insert_all(tg::entry(a, 1), tg::entry(b, "xy"));
  const auto call = vault.bind(tg::inputs(a, b), tg::outputs(),
                               [](const auto& i, const auto& s) { return static_cast<int>(s.size()) + i; });
  EXPECT_EQ(call(), 3);
}

TEST(Bind, an_output_is_not_overwritten_unless_permitted) {
  tg::Vault vault("v", {a});
  vault.insert(a, 1);
  EXPECT_THROW(vault.bind(tg::inputs(), tg::outputs(a), [] { return 2; })(), tg::KeyExistsError);
  vault.bind(tg::inputs(), tg::outputs(a), [] { return 2; }, {.permit_modification = true})();
  EXPECT_EQ(vault.get(a), 2);
}

TEST(Bind, output_replaces_input_must_be_asked_for) {
  tg::Vault vault("v", {a});
  vault.insert(a, 1);
  const auto add_one = [](int i) { return i + 1; };
  EXPECT_THROW(static_cast<void>(vault.bind(tg::inputs(a), tg::outputs(a), add_one)), tg::DeclarationError);
  const auto call = vault.bind(tg::inputs(a), tg::outputs(a), add_one, {.output_replaces_input = true});
  call();
  call();
  EXPECT_EQ(vault.get(a), 3);
}

TEST(Bind, clean_outputs_are_taken_out_before_the_function_runs) {
  tg::Vault vault("v", {a});
  vault.insert(a, 1);
  const auto call = vault.bind(tg::inputs(), tg::outputs(a),
                               [&]() -> std::optional<int> {
                                 EXPECT_FALSE(vault.contains(a));
                                 return std::nullopt;
                               },
                               {.clean_outputs = true});
  call();
  EXPECT_FALSE(vault.contains(a));
}

TEST(Bind, a_failure_stores_nothing) {
  tg::Vault vault("v", {a});
  const auto call = vault.bind(tg::inputs(), tg::outputs(a), []() -> int { throw std::runtime_error("no"); });
  EXPECT_HAS(error_of<std::runtime_error>(call), "no");
  EXPECT_FALSE(vault.contains(a));
}

TEST(Bind, outlives_the_vault) {
  std::optional<std::function<int()>> call;
  {
    tg::Vault vault("v", {a});
    vault.insert(a, 4);
    call = vault.bind(tg::inputs(a), tg::outputs(), [](int i) { return i; });
  }
  EXPECT_EQ((*call)(), 4);
}

}  // namespace
}  // namespace binding_test
