// SPDX-License-Identifier: Apache-2.0
// The script. It begins with the first use of the library in its process.
#include "forks/script.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "forks/child.hpp"
#include "forks/files.hpp"
#include "forks/stepper.hpp"

namespace tg::forks {
namespace {

using namespace std::chrono_literals;

int twice(int i) { return 2 * i; }

// So many instructions of a worker after a task: it ends the task, looks for more and goes to sleep.
constexpr long kOfAWorker = 4'000;

void first_uses() {
  std::unique_ptr<ThreadGroup> group;
  {
    const Stepped stepped("the first group is made");
    group = std::make_unique<ThreadGroup>("first");
  }
  {
    const Stepped stepped("the first task is added");
    group->post([] {});
  }
  {
    const Stepped stepped("the first join");
    static_cast<void>(group->join());
  }
  {
    const Stepped stepped("the first metrics");
    static_cast<void>(metrics_text());
  }
  {
    const Stepped stepped("the first time limit");
    ThreadGroup("limited", {.time_limit = 1h});
  }
  const Stepped stepped("the first group ends");
  group.reset();
}

void tasks() {
  {
    const Stepped stepped("a group without a task");
    ThreadGroup("empty");
  }
  auto group = std::make_unique<ThreadGroup>("tasks", GroupOptions{.max_concurrent_threads = 2});
  TaskHandle<int> handle;
  {
    const Stepped stepped("a task with a handle");
    handle = group->add_task([] { return 1; });
    static_cast<void>(handle.get());
  }
  {
    const Stepped stepped("a name is asked for and dropped");
    static_cast<void>(handle.name().size());
    handle = {};
  }
  group->post([] { step("a worker after a task", kOfAWorker); });
  static_cast<void>(group->join());
  group->post([&group] {
    step("a task adds to its own group", kOfAWorker);
    static_cast<void>(group->add_task([] { return 2; }).get());
  });
  {
    const Stepped stepped("a join");
    static_cast<void>(group->join());
  }
  group->post([] {
    ThreadGroup inner("inner");
    const Stepped stepped("a group below another one is joined");
    inner.post([] {});
    static_cast<void>(inner.join());
  });
  static_cast<void>(group->join());
  group->post([] {
    ThreadGroup inner("inner");
    // Longer than the steps to the wait take, which is recorded only if it has to wait.
    inner.post([] { static_cast<void>(thread_utils::event_aware_sleep(500ms)); });
    const Stepped stepped("a task waits for a group");
    static_cast<void>(inner.join());
  });
  static_cast<void>(group->join());
  {
    const Stepped stepped("a snapshot");
    static_cast<void>(ThreadEventsController::instance().snapshot());
  }
  {
    const Stepped stepped("an event is set");
    static_cast<void>(group->get_stop_token());
    group->set_event("enough");
  }
  const Stepped stepped("a group ends");
  group.reset();
}

void functions() {
  ThreadGroup group("functions");
  auto registered = group.register_function("f", twice, 3);
  inherited().function = new Function(registered.function());
  {
    const Stepped stepped("other arguments");
    registered.update_args(4);
  }
  {
    const Stepped stepped("functions are executed");
    static_cast<void>(group.execute_results());
  }
  {
    const Stepped stepped("results as they come");
    for (auto& result : group.as_completed()) static_cast<void>(result.status());
  }
  {
    const Stepped stepped("map");
    static_cast<void>(tg::map(group, std::vector{1, 2}, twice));
  }
  const Stepped stepped("a reporter of progress");
  const ProgressReporter reporter(group, [](const Progress&) {}, {.interval = 1h});
}

void failures() {
  set_unseen_failure_handler([](const std::string&, const Failure&) {});
  {
    ThreadGroup group("failing", {.on_failure = OnFailure::set_event});
    group.post([] {
      step("a worker after a failure", kOfAWorker);
      throw std::runtime_error("wanted");
    });
    const Stepped stepped("failures are waited for");
    static_cast<void>(group.wait_idle());
  }
  {
    auto unseen = std::make_unique<ThreadGroup>("unseen");
    unseen->post([] { throw 1; });
    while (unseen->statistics().failed == 0) std::this_thread::yield();
    const Stepped stepped("an unseen failure is reported");
    unseen.reset();
  }
  const Stepped stepped("the handler is replaced");
  set_unseen_failure_handler({});
}

void limits() {
  {
    const Stepped stepped("a time limit comes and goes");
    ThreadGroup("limited", {.time_limit = 1h});
  }
  ThreadGroup group("limited", {.time_limit = 1ms});
  const Stepped stepped("a time limit passes");
  static_cast<void>(group.add_task([] { return thread_utils::event_aware_sleep(1h); }).wait());
}

void vaults() {
  const KeyList keys{key_a, key_b};
  {
    const Stepped stepped("a vault of its own");
    Vault vault("own", keys);
    ThreadGroup group("automatic");
    const auto automatic = vault.automatic(group, inputs(key_a), outputs(key_b), twice);
    vault.insert(key_a, 4);
    static_cast<void>(vault.wait_for(key_b));
    static_cast<void>(group.join());
  }
}

void shared_things(std::latch& let_go) {
  inherited().group = new ThreadGroup("inherited", {.max_concurrent_threads = 3, .time_limit = 1h});
  ThreadGroup& group = *inherited().group;
  auto finished = std::make_unique<TaskHandle<int>>(group.add_task([] { return 1; }));
  static_cast<void>(finished->wait());
  inherited().finished = finished.release();
  inherited().unfinished = new TaskHandle<int>(group.add_task([&let_go] {
    let_go.wait();
    return 2;
  }));
  inherited().range = new AsCompleted<int>(as_completed(std::vector{*inherited().unfinished.load()}));
  group.register_function("f", twice, 1);
  const auto another = group.add_task([] {
    step("a worker of an inherited group", kOfAWorker);
    return 3;
  });
  static_cast<void>(another.wait());
  auto vault = std::make_unique<Vault>("inherited", KeyList{key_a, key_b});
  vault->automatic(group, inputs(key_a), outputs(key_b), twice);
  inherited().vault = vault.release();
  {
    const Stepped stepped("an inherited vault is used");
    Vault& shared = *inherited().vault;
    shared.insert(key_a, 1, permit_modification);
    static_cast<void>(shared.wait_for(key_b));
    static_cast<void>(shared.get(key_b));
    shared.erase(key_a, key_b);
  }
  {
    const Stepped stepped("an inherited group is used");
    group.post([] {});
    static_cast<void>(group.statistics());
    static_cast<void>(group.executed());
    static_cast<void>(group.get_stop_token());
    group.register_function("g", twice, 2);
    static_cast<void>(group.wait_for_condition([] { return false; }, 1ms));
  }
  const Stepped stepped("a task that others watch");
  static_cast<void>(as_completed(std::vector{*inherited().finished.load()}).next());
}

void foreign_thread() {
  std::thread([] {
    const Stepped stepped("a thread that the library did not start");
    ThreadGroup("of a foreign thread").post([] {});
  }).join();
}

void script() {
  first_uses();
  use_places_again();  // with something to inherit
  std::latch let_go(1);
  shared_things(let_go);
  make_inherited_files();
  tasks();
  functions();
  failures();
  limits();
  vaults();
  use_files();
  foreign_thread();
  let_go.count_down();
}

}  // namespace

void run_script() {
  const Figures figures = fork_everywhere(&script, &touch_everything);
  // A matrix without places has shown nothing; at its last count it had 807.
  const bool fine = figures.wrong[0] == '\0' && figures.points >= 500 && check_and_remove_files();
  std::fprintf(stderr, "%d places, a fork at each; at %d of them it waited for a lock that was held\n%s\n",
               figures.points, figures.waited_for, figures.wrong.data());
  ::_exit(fine ? 0 : 1);
}

}  // namespace tg::forks
