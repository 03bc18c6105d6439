// SPDX-License-Identifier: Apache-2.0
// Names and messages reached the terminal as they were: a line break forged a line, an escape sequence
// cleared it.
#include <gtest/gtest.h>

#include <algorithm>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>

#include <threadgroup/threadgroup.hpp>

namespace escaped_text_test {
namespace {

using tg::ThreadGroup;

const std::string kBad = "a\nthreadgroup: forged\x1b[2J\r";
const std::string kShown = "a\\nthreadgroup: forged\\x1b[2J\\r";

bool is_one_plain_line(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}
#define EXPECT_SHOWN(text)                              \
  do {                                                  \
    const std::string shown = text;                     \
    EXPECT_TRUE(is_one_plain_line(shown)) << shown;     \
    EXPECT_NE(shown.find(kShown), shown.npos) << shown; \
  } while (false)

template <class Error, class Call>
std::string text_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(EscapedText, of_the_tree_and_what_runs_in_it) {
  ThreadGroup group(kBad);
  std::binary_semaphore runs(0);
  std::binary_semaphore go_on(0);
  group.add_task(tg::TaskName(kBad), [&] {
    runs.release();
    go_on.acquire();
  });
  runs.acquire();
  group.set_event(kBad);
  const std::string tree = to_text(tg::ThreadEventsController::instance().snapshot());
  go_on.release();
  group.join();
  const std::size_t begin = tree.find(kShown);
  ASSERT_NE(begin, tree.npos) << tree;
  const std::string line = tree.substr(begin, tree.find('\n', begin) - begin);
  EXPECT_NE(line.find("running (" + kShown), line.npos) << tree;
  EXPECT_NE(line.find("event: requested"), line.npos) << tree;
  EXPECT_SHOWN(line.substr(line.find("event: ")));
}

TEST(EscapedText, of_a_reason_and_of_a_join) {
  ThreadGroup group(kBad);
  group.set_event(kBad);
  EXPECT_SHOWN(group.reason()->str());
  EXPECT_SHOWN(group.join().str());
  EXPECT_EQ(group.reason()->message, kBad);
}

TEST(EscapedText, of_failures_and_of_what_did_not_run) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  for (int i = 0; i < 2; ++i) group.add_task(tg::TaskName(kBad), [] { throw std::runtime_error(kBad); });
  EXPECT_SHOWN(text_of<tg::TaskFailures>([&] { group.join(); }));
  group.set_event("enough");
  const tg::TaskHandle<void> skipped = group.add_task(tg::TaskName(kBad), [] {});
  EXPECT_SHOWN(text_of<tg::TaskSkipped>([&] { skipped.get(); }));
}

TEST(EscapedText, of_results) {
  ThreadGroup group("group");
  group.register_function(kBad, []() -> int { throw std::runtime_error(kBad); });
  EXPECT_SHOWN(text_of<tg::FunctionFailures>([&] { group.execute(); }));
  tg::ResultList results;
  try {
    group.execute();
  } catch (const tg::FunctionFailures& failures) {
    results = failures.results();
  }
  EXPECT_SHOWN(results.str());
}

TEST(EscapedText, of_the_errors_of_a_vault) {
  const tg::Key<int> key(kBad);
  tg::Vault vault("vault", {key});
  EXPECT_SHOWN(text_of<tg::MissingKeyError>([&] { vault.get(key); }));
}

TEST(EscapedText, on_stderr) {
  testing::internal::CaptureStderr();
  {
    ThreadGroup group(kBad);
    group.add_task(tg::TaskName(kBad), [] { throw std::runtime_error(kBad); });
    while (group.statistics().failed == 0) std::this_thread::yield();
  }
  std::string said = testing::internal::GetCapturedStderr();
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said.back(), '\n');
  said.pop_back();
  EXPECT_SHOWN(said);
}

}  // namespace
}  // namespace escaped_text_test
