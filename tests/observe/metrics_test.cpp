// SPDX-License-Identifier: Apache-2.0
// What the metrics say: the figures, how long they last, and the formats.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "abandon/gate.hpp"
#include "base/sanitizers.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"
#include "support/parsed_metrics.hpp"

namespace tg::test {
namespace metrics_test {
namespace {

using namespace std::chrono_literals;

// Enough for the groups of all tests, should they run in one process.
constexpr std::size_t kMany = 1000;

ParsedMetrics look(std::size_t max_paths = kMany) {
  return ParsedMetrics(metrics_text({.max_paths = max_paths}));
}

// A join covers the count of the task, other than a handle.
void run_one_task(ThreadGroup& group) {
  group.post([] {});
  group.join();
}

void run_one_task(const char* name) {
  ThreadGroup group(name);
  run_one_task(group);
}

// --- The figures ---

TEST(Metrics, count_tasks_by_how_they_ended) {
  ThreadGroup group("outcomes", {.max_concurrent_threads = 1});
  std::latch runs(1);
  group.post([] {});
  group.post([] {});
  group.post([] { throw std::runtime_error("no"); });
  group.post([&] {
    runs.count_down();
    static_cast<void>(thread_utils::event_aware_sleep(1h));
    thread_utils::throw_if_event_set();
  });
  for (int i = 0; i < 3; ++i) group.post([] {});
  runs.wait();
  group.set_event();
  static_cast<void>(group.wait_idle());
  const ParsedMetrics now = look();
  const std::string path = "MainThread/outcomes";
  EXPECT_EQ(now.tasks(path, "succeeded"), 2);
  EXPECT_EQ(now.tasks(path, "failed"), 1);
  EXPECT_EQ(now.tasks(path, "stopped"), 1);
  EXPECT_EQ(now.tasks(path, "skipped"), 3);
  EXPECT_EQ(now.gauge("groups_stopped", path), 1);
  EXPECT_EQ(now.gauge("stop_latency_seconds_count", path), 1);
  EXPECT_GT(now.gauge("stop_latency_seconds_sum", path), 0);
  EXPECT_EQ(now.gauge("oldest_running_task_seconds", path), 0);
}

TEST(Metrics, tell_what_waits_and_what_runs) {
  ThreadGroup group("busy", {.max_concurrent_threads = 2, .max_pending = 3});
  std::latch run(2), end(1);
  for (int i = 0; i < 2; ++i) {
    group.post([&] {
      run.count_down();
      end.wait();
    });
  }
  run.wait();
  for (int i = 0; i < 3; ++i) group.post([] {});
  std::thread adder([&] { group.post([] {}); });
  eventually([&] { return group.statistics().waiting_adders == 1; });
  const std::string path = "MainThread/busy";
  // The age is as exact as the tick of the kernel.
  eventually([&] { return look().gauge("oldest_running_task_seconds", path) > 0; });
  const ParsedMetrics now = look();
  EXPECT_EQ(now.gauge("tasks_running", path), 2);
  EXPECT_EQ(now.gauge("tasks_pending", path), 3);
  EXPECT_EQ(now.gauge("adders_waiting", path), 1);
  EXPECT_EQ(now.gauge("threads", path), 2);
  EXPECT_EQ(now.gauge("threads_wanted", path), 2);
  EXPECT_EQ(now.gauge("threads_limit", path), 2);
  EXPECT_EQ(now.gauge("groups", path), 1);
  EXPECT_EQ(now.gauge("groups_stopped", path), 0);
  EXPECT_LT(now.gauge("oldest_running_task_seconds", path), 60);
  end.count_down();
  adder.join();
  group.join();
  EXPECT_EQ(look().tasks(path, "succeeded"), 6);
  EXPECT_EQ(look().gauge("tasks_running", path), 0);
}

TEST(Metrics, sum_up_groups_with_the_same_path) {
  ThreadGroup one("twins", {.max_concurrent_threads = 3});
  ThreadGroup two("twins", {.max_concurrent_threads = 4});
  run_one_task(one);
  run_one_task(two);
  const ParsedMetrics now = look();
  EXPECT_EQ(now.tasks("MainThread/twins", "succeeded"), 2);
  EXPECT_EQ(now.gauge("groups", "MainThread/twins"), 2);
  EXPECT_EQ(now.gauge("threads_limit", "MainThread/twins"), 7);
}

TEST(Metrics, leave_scopes_out_of_paths_and_count_them_by_kind) {
  const double scopes = look().at("threadgroup_nodes", "kind=\"scope\"");
  const StopScope scope;
  const Shield shield(1h);
  ThreadGroup group("in a scope");
  ThreadGroup daemon("a daemon", {.daemon = true});
  run_one_task(group);
  run_one_task(daemon);
  group.join();
  const ParsedMetrics now = look();
  EXPECT_EQ(now.tasks("MainThread/in a scope", "succeeded"), 1);
  EXPECT_EQ(now.tasks("a daemon", "succeeded"), 1);
  EXPECT_EQ(now.at("threadgroup_nodes", "kind=\"scope\""), scopes + 1);
  EXPECT_EQ(now.at("threadgroup_nodes", "kind=\"shield\""), 1);
  EXPECT_GE(now.at("threadgroup_nodes", "kind=\"group\""), 1);
  EXPECT_GE(now.at("threadgroup_nodes", "kind=\"daemon\""), 1);
  EXPECT_EQ(now.at("threadgroup_nodes", "kind=\"call\""), 0);
  EXPECT_EQ(now.at("threadgroup_abandoned_calls"), 0);
}

TEST(Metrics, have_no_numbers_in_paths_that_the_library_has_named) {
  for (int i = 0; i < 3; ++i) {
    std::thread([] {
      ThreadGroup unnamed;
      run_one_task(unnamed);
      static_cast<void>(look());  // also while it is there
    }).join();
  }
  EXPECT_EQ(look().tasks("OtherThreads/ThreadGroup", "succeeded"), 3);
}

TEST(Metrics, have_no_series_for_a_group_that_was_given_no_task) {
  const ThreadGroup group("without a task");
  EXPECT_FALSE(look().has("threadgroup_groups", "group=\"MainThread/without a task\""));
}

using MetricsOfCalls = NoCallLeft;

TEST_F(MetricsOfCalls, count_those_that_were_abandoned) {
  const SharedGate gate = new_gate();
  ThreadGroup group("leaves a call behind");
  group.post([gate] { abandonable(pass, gate); });
  gate->has_begun.acquire();
  EXPECT_EQ(look().at("threadgroup_abandoned_calls"), 0);
  EXPECT_EQ(look().at("threadgroup_nodes", "kind=\"call\""), 1);
  group.set_event();
  static_cast<void>(group.wait_idle());
  EXPECT_EQ(look().at("threadgroup_abandoned_calls"), 1);
  gate->may_end.release();
  eventually([] { return look().at("threadgroup_abandoned_calls") == 0; });
}

// --- Counters do not fall ---

TEST(Metrics, keep_the_counts_of_groups_that_are_gone) {
  static_cast<void>(look());
  for (int i = 1; i <= 100; ++i) {
    run_one_task("brief");
    if (i % 10 == 0) {
      EXPECT_EQ(look().tasks("MainThread/brief", "succeeded"), i);
      EXPECT_EQ(look().gauge("groups", "MainThread/brief"), 0);
    }
  }
}

TEST(Metrics, keep_the_counts_of_a_group_that_is_destroyed_while_tasks_run) {
  static_cast<void>(look());
  auto group = std::make_unique<ThreadGroup>("destroyed", GroupOptions{.max_concurrent_threads = 1});
  std::latch runs(1);
  group->post([&] {
    runs.count_down();
    static_cast<void>(thread_utils::event_aware_sleep(1h));
    thread_utils::throw_if_event_set();
  });
  for (int i = 0; i < 5; ++i) group->post([] {});
  runs.wait();
  group.reset();
  const ParsedMetrics now = look();
  EXPECT_EQ(now.tasks("MainThread/destroyed", "stopped"), 1);
  EXPECT_EQ(now.tasks("MainThread/destroyed", "skipped"), 5);
  EXPECT_EQ(now.gauge("stop_latency_seconds_count", "MainThread/destroyed"), 1);
  EXPECT_EQ(now.gauge("groups_stopped", "MainThread/destroyed"), 0);
}

TEST(Metrics, keep_the_path_of_a_group_whose_parent_is_destroyed) {
  auto parent = std::make_unique<ThreadGroup>("parent of an orphan");
  std::unique_ptr<ThreadGroup> orphan;
  parent->post([&] { orphan = std::make_unique<ThreadGroup>("orphan"); });
  parent->join();
  run_one_task(*orphan);
  const std::string path = "MainThread/parent of an orphan/orphan";
  EXPECT_EQ(look().tasks(path, "succeeded"), 1);
  parent.reset();
  EXPECT_EQ(look().tasks(path, "succeeded"), 1);
  EXPECT_EQ(look().gauge("groups", path), 1);
  orphan.reset();
  EXPECT_EQ(look().tasks(path, "succeeded"), 1);
  EXPECT_FALSE(look().has("threadgroup_groups", "group=\"MainThread/orphan\""));
}

// --- How many paths ---

// Forks first: which paths have series of their own depends on what the process has done before.
#define TG_IN_A_NEW_PROCESS(body)                             \
  if (TG_THREAD_SANITIZER) GTEST_SKIP() << kNoThreadsInChild; \
  EXPECT_EQ(in_child([&] body), 0)

TEST(Metrics, sum_up_the_paths_beyond_the_limit) {
  TG_IN_A_NEW_PROCESS({
    static_cast<void>(look(2));
    for (const char* name : {"a", "b", "c", "d", "c"}) run_one_task(name);
    const ParsedMetrics now = look(2);
    REQUIRE_IN_CHILD(now.tasks("MainThread/a", "succeeded") == 1);
    REQUIRE_IN_CHILD(now.tasks("MainThread/b", "succeeded") == 1);
    REQUIRE_IN_CHILD(now.tasks("(other)", "succeeded") == 3);
    REQUIRE_IN_CHILD(now.count("threadgroup_groups") == 3);
    ThreadGroup c("c");
    run_one_task(c);
    REQUIRE_IN_CHILD(look(2).gauge("groups", "(other)") == 1);
    REQUIRE_IN_CHILD(look(2).tasks("(other)", "succeeded") == 4);
  });
}

TEST(Metrics, give_more_paths_their_own_series_once_more_are_asked_for) {
  TG_IN_A_NEW_PROCESS({
    static_cast<void>(look(1));
    for (const char* name : {"a", "b"}) run_one_task(name);
    REQUIRE_IN_CHILD(look(3).tasks("(other)", "succeeded") == 1);
    for (const char* name : {"b", "c", "d"}) run_one_task(name);
    const ParsedMetrics more = look(3);
    REQUIRE_IN_CHILD(more.tasks("(other)", "succeeded") == 2);  // "b" once, from before, and "d"
    REQUIRE_IN_CHILD(more.tasks("MainThread/b", "succeeded") == 1);
    REQUIRE_IN_CHILD(more.tasks("MainThread/c", "succeeded") == 1);
    const ParsedMetrics fewer = look(1);
    REQUIRE_IN_CHILD(fewer.tasks("MainThread/a", "succeeded") == 1);
    REQUIRE_IN_CHILD(fewer.tasks("(other)", "succeeded") == 4);
    REQUIRE_IN_CHILD(fewer.count("threadgroup_groups") == 2);
  });
}

TEST(Metrics, are_one_series_without_paths) {
  TG_IN_A_NEW_PROCESS({
    ThreadGroup group("group");
    run_one_task(group);
    const ParsedMetrics now = look(0);
    REQUIRE_IN_CHILD(now.count("threadgroup_groups") == 1);
    REQUIRE_IN_CHILD(now.tasks("(other)", "succeeded") == 1);
  });
}

TEST(Metrics, limit_may_be_the_largest_number) {
  run_one_task("before the largest limit");
  ThreadGroup group("under the largest limit",
                    {.max_concurrent_threads = std::numeric_limits<std::size_t>::max()});
  run_one_task(group);
  const ParsedMetrics now = look(std::numeric_limits<std::size_t>::max());
  EXPECT_EQ(now.tasks("MainThread/under the largest limit", "succeeded"), 1);
  EXPECT_GT(now.gauge("threads_limit", "MainThread/under the largest limit"), 1e19);
}

TEST(Metrics, group_that_is_called_like_the_rest_is_part_of_it) {
  ThreadGroup daemon("(other)", {.daemon = true});
  const double before = look().tasks("(other)", "succeeded");
  run_one_task(daemon);
  EXPECT_EQ(look().tasks("(other)", "succeeded"), before + 1);
}

// --- Forks, and what was before the first call ---

TEST(Metrics, do_not_have_what_was_gone_before_the_first_call) {
  TG_IN_A_NEW_PROCESS({
    run_one_task("early");
    ThreadGroup late("late");
    run_one_task(late);
    REQUIRE_IN_CHILD(!look().has("threadgroup_groups", "group=\"MainThread/early\""));
    REQUIRE_IN_CHILD(look().tasks("MainThread/late", "succeeded") == 1);
  });
}

TEST(Metrics, of_a_forked_child_begin_anew) {
  if (TG_THREAD_SANITIZER) GTEST_SKIP() << kNoThreadsInChild;
  static_cast<void>(look());
  run_one_task("of the parent");
  auto inherited = std::make_unique<ThreadGroup>("inherited");
  run_one_task(*inherited);
  EXPECT_EQ(look().tasks("MainThread/inherited", "succeeded"), 1);
  EXPECT_EQ(in_child([&] {
              const ParsedMetrics first = look();
              REQUIRE_IN_CHILD(first.count("threadgroup_groups") == 1);
              REQUIRE_IN_CHILD(first.tasks("(other)", "succeeded") == 0);
              inherited.reset();
              run_one_task("of the child");
              REQUIRE_IN_CHILD(look().tasks("MainThread/of the child", "succeeded") == 1);
              REQUIRE_IN_CHILD(look().count("threadgroup_groups") == 2);
            }),
            0);
  EXPECT_EQ(look().tasks("MainThread/of the parent", "succeeded"), 1);
}

// --- The formats ---

TEST(Metrics, escape_what_names_contain) {
  ThreadGroup group("a \"quoted\" \\ name\nin two lines, {caf\u00e9}\t");
  run_one_task(group);
  EXPECT_EQ(look().gauge("groups", "MainThread/a \\\"quoted\\\" \\\\ name\\nin two lines, {caf\u00e9}\t"), 1);
}

TEST(Metrics, mend_names_that_are_not_utf8) {
  using namespace std::string_literals;
  ThreadGroup one("latin \xe9 zero \0 end"s);
  ThreadGroup two("latin \xe8 zero \x01 end"s);    // another name, so another label
  ThreadGroup three("latin \xff zero \xfe end"s);  // looks like the first when it is mended
  for (ThreadGroup* group : {&one, &two, &three}) run_one_task(*group);
  const ParsedMetrics now = look();
  EXPECT_EQ(now.gauge("groups", "MainThread/latin \uFFFD zero \uFFFD end"), 2);
  EXPECT_EQ(now.gauge("groups", "MainThread/latin \uFFFD zero \x01 end"), 1);
}

TEST(Metrics, of_each_byte_in_a_name_can_be_read) {
  std::vector<std::unique_ptr<ThreadGroup>> groups;
  for (int byte = 0; byte < 256; ++byte) {
    groups.push_back(std::make_unique<ThreadGroup>(std::string("byte ") + static_cast<char>(byte)));
    run_one_task(*groups.back());
  }
  EXPECT_EQ(look().gauge("groups", "MainThread/byte \uFFFD"), 129);  // of 0, and of 128 and more
}

TEST(Metrics, have_the_same_figures_in_both_formats) {
  run_one_task("in both formats");
  const ParsedMetrics one(metrics_text({.max_paths = kMany}));
  const ParsedMetrics other(metrics_text({.format = MetricsFormat::open_metrics, .max_paths = kMany}),
                            MetricsFormat::open_metrics);
  EXPECT_EQ(one.growing(), other.growing());
  EXPECT_EQ(one.type("threadgroup_tasks_total"), "counter");
  EXPECT_EQ(other.type("threadgroup_tasks"), "counter");
  EXPECT_EQ(one.type("threadgroup_stop_latency_seconds"), "summary");
  EXPECT_EQ(one.type("threadgroup_groups"), "gauge");
}

TEST(Metrics, begin_with_a_family_as_documented) {
  EXPECT_EQ(metrics_text().rfind("# HELP threadgroup_tasks_total Tasks that have ended, by how they ended.\n"
                                 "# TYPE threadgroup_tasks_total counter\n"
                                 "threadgroup_tasks_total{group=\"(other)\",outcome=\"succeeded\"} ",
                                 0),
            0u);
  EXPECT_STREQ(content_type(MetricsFormat::prometheus), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_STREQ(content_type(MetricsFormat::open_metrics),
               "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

// Prometheus itself reads the text. Its package is large, so the test is skipped where it is not installed.
TEST(Metrics, pass_the_check_of_promtool) {
  if (std::system("promtool --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  ThreadGroup group("a \"quoted\" \\ name\nwith \xff bytes");
  run_one_task(group);
  std::FILE* const check = ::popen("promtool check metrics", "w");
  const std::string text = metrics_text({.max_paths = kMany});
  EXPECT_EQ(std::fwrite(text.data(), 1, text.size(), check), text.size());
  EXPECT_EQ(::pclose(check), 0);
}

}  // namespace
}  // namespace metrics_test
}  // namespace tg::test
