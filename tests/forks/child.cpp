// SPDX-License-Identifier: Apache-2.0
// Every class of the library, used in a forked child.
#include "forks/child.hpp"

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include <threadgroup/errors.hpp>

#include "forks/files.hpp"
#include "forks/require.hpp"
#include "forks/stepper.hpp"

namespace tg::forks {

const Key<int> key_a{"a"};
const Key<int> key_b{"b"};

Inherited& inherited() noexcept {
  static constinit Inherited objects;
  return objects;
}

namespace {

using namespace std::chrono_literals;

int twice(int i) { return 2 * i; }

void touch_new_groups() {
  now_touching("the controller");
  REQUIRE(ThreadEventsController::instance().snapshot().nodes.empty());
  now_touching("a new group");
  std::atomic<int> told{0};
  ThreadGroup group("child", {.max_concurrent_threads = 2});
  REQUIRE(group.path() == "MainThread/child");
  REQUIRE(group.add_task(twice, 4).get() == 8);
  now_touching("a name");
  const auto named = group.add_task([] { return 1; });
  REQUIRE(named.name().starts_with("task "));
  now_touching("a group in a group");
  group.post([] {
    ThreadGroup inner("inner");
    // So that the join has to wait.
    inner.post([] { static_cast<void>(thread_utils::event_aware_sleep(1ms)); });
    static_cast<void>(inner.join());
  });
  REQUIRE(group.join());
  now_touching("the counts and a snapshot");
  REQUIRE(group.statistics().succeeded == 3);
  REQUIRE(ThreadEventsController::instance().snapshot().nodes.size() == 2);
  now_touching("the metrics");
  REQUIRE(
      metrics_text().find("threadgroup_tasks_total{group=\"MainThread/child\",outcome=\"succeeded\"} 3\n") !=
      std::string::npos);
  now_touching("a stop token and an event");
  const auto token = group.get_stop_token();
  REQUIRE(group.set_event("enough"));
  REQUIRE(token.stop_requested());
  now_touching("a time limit");
  ThreadGroup limited("limited", {.time_limit = 1ms});
  REQUIRE(limited.add_task([] { return thread_utils::event_aware_sleep(600s); }).wait() !=
              WaitOutcome::ready ||
          limited.event_is_set());
  now_touching("a failure that stops a group");
  ThreadGroup failing("failing", {.on_failure = OnFailure::set_event});
  failing.post([] { throw std::runtime_error("wanted"); });
  REQUIRE(failing.wait_idle().failures.size() == 1);
  REQUIRE(failing.reason()->kind == ReasonKind::failure);
  now_touching("the handler for unseen failures");
  set_unseen_failure_handler([&](const std::string&, const Failure&) { ++told; });
  {
    ThreadGroup unseen("unseen");
    unseen.post([] { throw 1; });
    while (unseen.statistics().failed == 0)
      static_cast<void>(unseen.wait_for_condition([] { return false; }, 1ms));
  }
  set_unseen_failure_handler({});
  REQUIRE(told == 1);
}

void touch_functions() {
  ThreadGroup group("functions");
  now_touching("registered functions");
  auto registered = group.register_function("f", twice, 3);
  registered.update_args(5);
  REQUIRE(group.execute().size() == 1);
  REQUIRE(group.executed());
  now_touching("results as they come");
  int seen = 0;
  for (auto& result : group.as_completed()) seen += result.status() == TaskStatus::succeeded ? 1 : 0;
  REQUIRE(seen == 1);
  now_touching("map, first_of, with_retries");
  REQUIRE(tg::map(group, std::vector{1, 2}, twice).size() == 2);
  REQUIRE(first_of([] { return 1; }, [] { return 1; }) == 1);
  int tries = 0;
  REQUIRE(with_retries(
              [&tries] {
                if (++tries == 1) throw std::runtime_error("again");
                return 7;
              },
              {.max_tries = 2, .first_delay = 1us})() == 7);
  now_touching("progress");
  {
    const ProgressReporter reporter(group, [](const Progress&) {}, {.interval = 1h});
  }
}

void touch_new_vault() {
  now_touching("a new vault");
  const KeyList keys{key_a, key_b};
  Vault vault("child", keys);
  ThreadGroup group("automatic");
  const auto automatic = vault.automatic(group, inputs(key_a), outputs(key_b), twice);
  vault.insert(key_a, 4);
  static_cast<void>(vault.wait_for(key_b));
  REQUIRE(vault.get(key_b) == 8);
  REQUIRE(group.join());
}

void touch_inherited_tasks() {
  if (ThreadGroup* const group = inherited().group) {
    now_touching("an inherited group");
    REQUIRE(throws_forked([&] { group->post([] {}); }));
    REQUIRE(throws_forked([&] { static_cast<void>(group->join()); }));
    REQUIRE(throws_forked([&] { static_cast<void>(group->statistics()); }));
    REQUIRE(throws_forked([&] { group->set_event(); }));
    REQUIRE(throws_forked([&] { group->execute(); }));
    REQUIRE(!group->path().empty());
    static_cast<void>(group->event_is_set());
    now_touching("the end of an inherited group");
    delete group;
  }
  if (const TaskHandle<int>* const finished = inherited().finished) {
    now_touching("an inherited handle of a task that has ended");
    REQUIRE(finished->get() == 1);
    REQUIRE(!finished->name().empty());
    REQUIRE(as_completed(std::vector{*finished}).next()->get() == 1);
    delete finished;
  }
  if (const TaskHandle<int>* const unfinished = inherited().unfinished) {
    now_touching("an inherited handle of a task that has not ended");
    REQUIRE(throws_forked([&] { static_cast<void>(unfinished->wait()); }));
    REQUIRE(throws_forked([&] { static_cast<void>(unfinished->get()); }));
    delete unfinished;
  }
  if (AsCompleted<int>* const range = inherited().range) {
    now_touching("an inherited range of completed tasks");
    REQUIRE(throws_forked([&] { range->next(); }));
    delete range;
  }
  if (const Function* const function = inherited().function) {
    now_touching("an inherited function");
    REQUIRE((*function)().str().size() == 1);
    delete function;
  }
}

void touch_inherited_vault() {
  Vault* const vault = inherited().vault;
  if (vault == nullptr) return;
  now_touching("an inherited vault");
  // The value is stored, and the automatic that it starts is the parent's.
  REQUIRE(throws_forked([&] { vault->insert(key_a, 7, permit_modification); }));
  REQUIRE(vault->get(key_a) == 7);
  static_cast<void>(vault->wait_for(key_b, 1us));
  static_cast<void>(vault->try_get(key_b));
  REQUIRE(vault->erase(key_a) && !vault->contains(key_a));
  REQUIRE(vault->entries().size() == vault->size() && !vault->explain().empty());
  now_touching("the end of an inherited vault");
  delete vault;
}

}  // namespace

int touch_everything() try {
  touch_inherited_tasks();
  touch_inherited_vault();
  touch_inherited_files();
  touch_new_groups();
  touch_functions();
  touch_new_vault();
  touch_new_files();
  now_touching("nothing any more");
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "in the child: %s\n", e.what());
  return 1;
}

}  // namespace tg::forks
