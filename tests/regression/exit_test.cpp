// SPDX-License-Identifier: Apache-2.0
// The end of the process: each test runs in a process of its own and looks at its exit status and stderr.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "runtime/steady_clock.hpp"

namespace exit_test {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;
using tg::ThreadEventsController;
using tg::ThreadGroup;

class Exit : public testing::Test {
 protected:
  // The whole program is started again for each test, so that nothing that ran before is left in it.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

void wait_forever() {
  std::binary_semaphore never(0);
  never.acquire();
}

// Writes to stderr where a test wants to see an order.
void say(const char* text) { std::fputs(text, stderr); }

ThreadGroup& leaked_group(const char* name, bool daemon) {
  static auto& mutex = *new std::mutex;
  static auto& all = *new std::vector<ThreadGroup*>;  // never destroyed, but found by who looks for leaks
  const std::lock_guard lock(mutex);
  return *all.emplace_back(new ThreadGroup(name, {.daemon = daemon}));
}

TEST_F(Exit, daemon_that_sleeps_is_stopped_and_ends_before_the_process) {
  EXPECT_EXIT(
      {
        ThreadGroup& group = leaked_group("beats", true);
        std::latch running(1);
        group.post([&running] {
          running.count_down();
          if (!tg::thread_utils::event_aware_sleep(600s)) {
            say("told: ");
            say(tg::thread_utils::reason()->message.c_str());
          }
        });
        running.wait();
        std::exit(7);
      },
      ExitedWithCode(7), "^told: the process is ending$");
}

TEST_F(Exit, call_that_was_abandoned_is_named_and_the_process_ends) {
  EXPECT_EXIT(
      {
        static std::latch running(1);
        ThreadGroup& group = leaked_group("fetch", true);
        group.post([] {
          tg::abandonable(tg::TaskName("getaddrinfo"), [] {
            running.count_down();
            wait_forever();
          });
        });
        running.wait();
        std::exit(3);  // which stops the task
      },
      ExitedWithCode(3),
      "^threadgroup: at exit, 1 abandoned call still runs: 'getaddrinfo', abandoned by 'fetch' 0.. s ago\n$");
}

TEST_F(Exit, groups_of_a_call_that_was_abandoned_are_named_and_not_waited_for) {
  EXPECT_EXIT(
      {
        ThreadEventsController::instance().set_exit_grace(600s);  // longer than a test may take
        static std::latch running(1);
        ThreadGroup& group = leaked_group("fetch", true);
        group.post([] {
          tg::abandonable(tg::TaskName("driver"), [] {
            ThreadGroup inner("inner");
            inner.post([] {
              running.count_down();
              wait_forever();
            });
            wait_forever();
          });
        });
        running.wait();
        group.set_event("enough");
        group.join();
        std::exit(3);
      },
      ExitedWithCode(3),
      "^threadgroup: at exit, 1 abandoned call still runs: 'driver', abandoned by 'fetch' 0.. s ago, with group 'inner'\n$");
}

// The call has a group with a task, and neither ends.
void call_driver(std::latch& running) {
  static std::latch* is_running = nullptr;
  is_running = &running;
  tg::abandonable(tg::TaskName("driver"), [] {
    ThreadGroup inner("inner");
    inner.post([] {
      is_running->count_down();
      wait_forever();
    });
    wait_forever();
  });
}

TEST_F(Exit, groups_of_a_call_that_the_exit_leaves_behind_are_not_waited_for) {
  EXPECT_EXIT(
      {
        ::alarm(20);  // the test ends in any case
        ThreadEventsController::instance().set_exit_grace(600s);
        static std::latch running(1);
        leaked_group("fetch", true).post([] { call_driver(running); });
        running.wait();
        std::exit(3);
      },
      ExitedWithCode(3),
      "^threadgroup: at exit, 1 abandoned call still runs: 'driver', abandoned by 'fetch' 0.. s ago, with group 'inner'\n$");
}

TEST_F(Exit, groups_of_a_call_that_a_thread_leaves_behind_are_not_waited_for) {
  EXPECT_EXIT(
      {
        ::alarm(20);
        ThreadEventsController::instance().set_exit_grace(600s);
        static std::latch running(1);
        std::thread([] {
          const tg::Shield shield(100ms, "shield");  // so that the exit waits first
          try {
            call_driver(running);
          } catch (const tg::Stopped&) {
          }
          wait_forever();
        }).detach();
        running.wait();
        std::exit(3);
      },
      ExitedWithCode(3),
      "^threadgroup: at exit, 1 abandoned call still runs: 'driver', abandoned by '.*shield' ");
}

TEST_F(Exit, daemon_that_does_not_stop_is_named_and_the_process_ends) {
  EXPECT_EXIT(
      {
        ThreadEventsController::instance().set_exit_grace(50ms);
        ThreadGroup& group = leaked_group("stubborn", true);
        std::latch running(1);
        static_cast<void>(group.add_task(tg::TaskName{"poll the queue"}, [&running] {
          running.count_down();
          wait_forever();
        }));
        running.wait();
        std::exit(3);
      },
      ExitedWithCode(3), "at exit, group 'stubborn' still runs task 'poll the queue'");
}

TEST_F(Exit, grace_is_two_seconds_unless_set) {
  struct SaysWhetherItTookTwoSeconds {
    tg::TimePoint since;
    ~SaysWhetherItTookTwoSeconds() {
      say(tg::runtime::now() - since >= tg::Duration(2s) ? "two seconds or more" : "too early");
    }
  };
  EXPECT_EXIT(
      {
        ::alarm(20);                                   // an end there is
        static SaysWhetherItTookTwoSeconds stopwatch;  // made before the library, so it looks after the grace
        std::latch running(1);
        leaked_group("stubborn", true).post([&running] {
          running.count_down();
          wait_forever();
        });
        running.wait();
        stopwatch.since = tg::runtime::now();
        std::exit(15);
      },
      ExitedWithCode(15),
      "still runs task 'task 1' .for .*s; added at exit_test.cpp:[0-9]+.\ntwo seconds or more$");
}

TEST_F(Exit, grace_is_shared_by_all_stragglers) {
  EXPECT_EXIT(
      {
        ::alarm(20);  // were each given its own grace, this would come first
        ThreadEventsController::instance().set_exit_grace(2s);
        std::latch running(20);
        for (int i = 0; i < 20; ++i) {
          leaked_group("stubborn", true).post([&running] {
            running.count_down();
            wait_forever();
          });
        }
        running.wait();
        std::exit(4);
      },
      ExitedWithCode(4), "still runs task 'task 1'");
}

TEST_F(Exit, exit_status_of_main_is_kept_when_groups_were_leaked) {
  EXPECT_EXIT(
      {
        ThreadGroup& parent = leaked_group("leaked parent", false);
        std::latch running(2);
        parent.post([&running] {
          leaked_group("leaked child", false).post([&running] {
            running.count_down();
            static_cast<void>(tg::thread_utils::event_aware_sleep(600s));
          });
          running.count_down();
          static_cast<void>(tg::thread_utils::event_aware_sleep(600s));
        });
        leaked_group("idle and leaked", false).post([] {});
        running.wait();
        std::exit(5);
      },
      ExitedWithCode(5), "^$");
}

TEST_F(Exit, task_may_call_exit) {
  EXPECT_EXIT(
      {
        ::alarm(20);
        ThreadGroup& group = leaked_group("calls exit", false);
        static_cast<void>(group.add_task(tg::TaskName{"the one that exits"}, [] { std::exit(6); }));
        static_cast<void>(group.join());
      },
      ExitedWithCode(6), "^$");
}

// The task waits for what exits; the exit must not wait for the task in turn, as the grace would let it.
template <class Task>
void join_task_whose_work_exits(Task task) {
  ::alarm(20);
  ThreadEventsController::instance().set_exit_grace(600s);
  ThreadGroup& group = leaked_group("outer", false);
  group.post(task);
  static_cast<void>(group.join());
  wait_forever();  // the exit may still be under way
}

TEST_F(Exit, task_of_a_nested_group_may_call_exit) {
  EXPECT_EXIT(join_task_whose_work_exits([] {
                ThreadGroup& inner = leaked_group("inner", false);
                inner.post([] { std::exit(14); });
                static_cast<void>(inner.join());
              }),
              ExitedWithCode(14), "^$");
}

TEST_F(Exit, call_that_a_task_waits_for_may_call_exit) {
  EXPECT_EXIT(join_task_whose_work_exits([] {
                const tg::Shield shield(600s);  // so that the exit does not stop the task
                tg::abandonable([] { std::exit(6); });
              }),
              ExitedWithCode(6), "^$");
}

// A task that the exit stops leaves its call behind, and the exit waits for the rest of the task.
template <class Call>
void join_task_that_goes_on_without_its_call(Call call) {
  join_task_whose_work_exits([call] {
    try {
      tg::abandonable(call);
    } catch (const tg::Stopped&) {
      const tg::Shield shield(600s);
      static_cast<void>(tg::thread_utils::event_aware_sleep(100ms));  // an exit that does not wait is faster
      say("went on");
    }
  });
}

TEST_F(Exit, call_that_exits_in_a_shield_waits_for_the_task_that_leaves_it_behind) {
  EXPECT_EXIT(join_task_that_goes_on_without_its_call([] {
                const tg::Shield shield(600s);
                tg::abandonable([] { std::exit(6); });
              }),
              ExitedWithCode(6), "^went on");
}

TEST_F(Exit, task_that_exits_waits_for_the_one_that_leaves_the_call_around_it_behind) {
  EXPECT_EXIT(join_task_that_goes_on_without_its_call([] {
                ThreadGroup& inner = leaked_group("inner", false);
                inner.post([] { std::exit(14); });
                static_cast<void>(inner.join());
              }),
              ExitedWithCode(14), "^went on");
}

TEST_F(Exit, task_may_call_exit_while_there_is_a_static_group) {
  EXPECT_EXIT(
      {
        ::alarm(20);
        static ThreadGroup group("static");
        static_cast<void>(group.add_task([] { std::exit(8); }));
        static_cast<void>(group.join());
      },
      ExitedWithCode(8), "the group was destroyed by a task of its own");
}

TEST_F(Exit, static_group_made_first_outlives_nothing_that_it_needs) {
  EXPECT_EXIT(
      {
        static ThreadGroup group("static");
        std::latch running(1);
        group.post([&running] {
          running.count_down();
          if (!tg::thread_utils::event_aware_sleep(600s)) say(to_string(tg::thread_utils::reason()->kind));
        });
        running.wait();
        std::exit(9);
      },
      ExitedWithCode(9), "^destroyed$");
}

TEST_F(Exit, static_object_made_before_the_library_may_still_use_groups_when_it_goes) {
  struct UsesGroups {
    ~UsesGroups() {
      ThreadGroup group("late");
      const auto answer = group.add_task([] { return 42; });
      say(answer.get() == 42 ? "late answer" : "wrong");
      static_cast<void>(tg::thread_utils::event_aware_sleep(1ms));
      static_cast<void>(to_text(ThreadEventsController::instance().snapshot()));
    }
  };
  EXPECT_EXIT(
      {
        static UsesGroups first;
        ThreadGroup("early").post([] {});
        std::exit(10);
      },
      ExitedWithCode(10), "^late answer$");
}

TEST_F(Exit, thread_local_object_may_use_groups_when_its_thread_goes) {
  struct UsesGroups {
    int used = 0;
    ~UsesGroups() {
      ThreadGroup group("from a thread that is ending");
      say(group.add_task([] { return 42; }).get() == 42 ? "." : "wrong");
    }
  };
  EXPECT_EXIT(
      {
        static thread_local UsesGroups mine;
        const auto touch = [] {
          ++mine.used;
          ThreadGroup("early").post([] {});
        };
        std::thread(touch).join();
        ThreadGroup group;
        group.add_task(touch).get();
        touch();
        std::exit(11);
      },
      ExitedWithCode(11), "^\\.+$");
}

TEST_F(Exit, threads_that_hammer_the_library_do_not_disturb_the_end) {
  EXPECT_EXIT(
      {
        ::alarm(30);
        ThreadEventsController::instance().set_exit_grace(300ms);
        std::latch running(3);
        for (int i = 0; i < 3; ++i) {
          std::thread([&running] {
            running.count_down();
            for (;;) {
              ThreadGroup group("hammer");
              for (int k = 0; k < 4; ++k) group.post([] { ThreadGroup("inner").post([] {}); });
            }
          }).detach();
        }
        running.wait();
        std::exit(12);
      },
      ExitedWithCode(12), "");
}

TEST_F(Exit, failure_in_a_static_group_is_reported_at_the_end) {
  EXPECT_EXIT(
      {
        static ThreadGroup group("static");
        std::latch running(1);
        group.post([&running] {
          running.count_down();
          throw std::runtime_error("no result was read");
        });
        running.wait();
        std::exit(13);
      },
      ExitedWithCode(13),
      "unseen failure: task 'task 1' of group 'MainThread/static' failed: no result was read");
}

}  // namespace
}  // namespace exit_test
