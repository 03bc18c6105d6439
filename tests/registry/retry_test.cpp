// SPDX-License-Identifier: Apache-2.0
// Trying again: how often, how late, what, and not after the event.
#include <gtest/gtest.h>

#include <chrono>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <system_error>

#include <threadgroup/threadgroup.hpp>

namespace retry_test {
namespace {
using namespace std::chrono_literals;

TEST(with_retries, tries_until_it_succeeds) {
  int tries = 0;
  auto f = tg::with_retries(
      [&](const std::string& text, int x) {
        if (++tries < 3) throw std::runtime_error("not yet");
        return text + std::to_string(x);
      },
      {.first_delay = 0s});
  EXPECT_EQ(f("x", 1), "x1");
  EXPECT_EQ(tries, 3);
}

TEST(with_retries, after_the_last_try_throws_what_that_threw) {
  int tries = 0;
  auto f = tg::with_retries([&] { throw std::runtime_error(std::to_string(++tries)); },
                            {.max_tries = 3, .first_delay = 0s});
  try {
    f();
    FAIL() << "a failure was swallowed";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "3");
  }
}

TEST(with_retries, only_what_the_predicate_wants) {
  int tries = 0;
  auto f = tg::with_retries(
      [&] {
        if (++tries == 1) throw std::system_error(std::make_error_code(std::errc::timed_out));
        throw std::logic_error("permanent");
      },
      {.first_delay = 0s, .retry_if = tg::thrown<std::out_of_range, std::runtime_error>()});
  EXPECT_THROW(f(), std::logic_error);
  EXPECT_EQ(tries, 2);
}

TEST(with_retries, does_not_begin_a_sleep_that_would_pass_the_time_limit) {
  int tries = 0;
  auto f = tg::with_retries([&] { throw ++tries; }, {.time_limit = 1h, .first_delay = 3h, .max_delay = 3h});
  EXPECT_THROW(f(), int);
  EXPECT_EQ(tries, 1);
}

TEST(with_retries, does_not_try_again_once_the_event_is_set) {
  std::binary_semaphore tried(0);
  tg::ThreadGroup group;
  const auto task = group.add_task(tg::with_retries(
      [&] {
        tried.release();
        throw std::runtime_error("first and last");
      },
      {.first_delay = 1h, .max_delay = 1h}));
  tried.acquire();
  group.set_event();
  EXPECT_THROW(task.get(), std::runtime_error);
  EXPECT_FALSE(tried.try_acquire());
}

TEST(with_retries, composes_with_registered_functions) {
  int tries = 0;
  tg::ThreadGroup group;
  group.register_function("f",
                          tg::with_retries(
                              [&](int x) {
                                if (++tries < 2) throw std::runtime_error("no");
                                return x;
                              },
                              {.first_delay = 0s}),
                          5);
  EXPECT_EQ(group.execute().str(), "[(function=f; result=5)]");
}

TEST(with_retries, refuses_options_that_make_no_sense) {
  const auto f = [] {};
  EXPECT_THROW(tg::with_retries(f, {.max_tries = 0}), std::invalid_argument);
  EXPECT_THROW(tg::with_retries(f, {.factor = 0.5}), std::invalid_argument);
  EXPECT_THROW(tg::with_retries(f, {.jitter = 1.5}), std::invalid_argument);
}

TEST(retry_delay, grows_up_to_the_longest) {
  const tg::RetryOptions options{.first_delay = 100ms, .factor = 3, .max_delay = 1s, .jitter = 0};
  EXPECT_EQ(tg::detail::retry_delay(options, 1, 0.5), tg::Duration(100ms));
  EXPECT_EQ(tg::detail::retry_delay(options, 2, 0.5), tg::Duration(300ms));
  EXPECT_EQ(tg::detail::retry_delay(options, 3, 0.5), tg::Duration(900ms));
  EXPECT_EQ(tg::detail::retry_delay(options, 4, 0.5), tg::Duration(1s));
  EXPECT_EQ(tg::detail::retry_delay(options, 100000, 0.5), tg::Duration(1s));
}

TEST(retry_delay, leaves_the_jitter_to_chance) {
  const tg::RetryOptions options{.first_delay = 100ms, .jitter = 0.5};
  EXPECT_EQ(tg::detail::retry_delay(options, 1, 0), tg::Duration(50ms));
  EXPECT_EQ(tg::detail::retry_delay(options, 1, 1), tg::Duration(100ms));
  for (int i = 0; i < 1000; ++i) {
    const double chance = tg::detail::random_chance();
    EXPECT_GE(chance, 0);
    EXPECT_LT(chance, 1);
  }
}

}  // namespace
}  // namespace retry_test
