// SPDX-License-Identifier: Apache-2.0
// A program in a known state, for gdb to look at: tasks that wait, tasks that ended in each way, an abandoned call, and a vault.
#include <threadgroup/threadgroup.hpp>

#include <latch>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

std::latch began(3);

// Where gdb stops.
[[gnu::noinline]] void look() { asm volatile(""); }

void hold() {
  began.count_down();
  (void)tg::thread_utils::event_aware_sleep(1h);
}
void ann() { hold(); }
void child() { hold(); }

void import_users() {
  tg::ThreadGroup users("users", {.max_concurrent_threads = 1});
  users.add_task(tg::TaskName{"ann"}, ann);
  users.add_task(tg::TaskName{"bob"}, [] {});
  users.join();
}

struct Point {
  int x;
  int y;
};

// Not at the beginning of it is what the library knows.
struct Code {
  virtual ~Code() = default;
  long value = 7;
};
struct OwnStop : Code, tg::Stopped {
  explicit OwnStop(const tg::Reason& reason) : tg::Stopped("no more", reason) {}
};

}  // namespace

int main() {
  tg::ThreadGroup nightly("nightly", {.max_concurrent_threads = 4});
  const int offset = 2;
  [[maybe_unused]] auto answer = nightly.add_task(tg::TaskName{"answer"}, [=] { return 40 + offset; });
  [[maybe_unused]] const tg::TaskHandle<int>& same = answer;
  [[maybe_unused]] auto point = nightly.add_task([] { return Point{1, 2}; });
  [[maybe_unused]] auto nothing = nightly.add_task([] {});
  [[maybe_unused]] auto taken = nightly.add_task([] { return std::vector<int>(3); });
  [[maybe_unused]] auto broken =
      nightly.add_task(tg::TaskName{"broken"}, []() -> int { throw std::runtime_error("no disk"); });
  [[maybe_unused]] const tg::JoinResult joined = nightly.wait_idle();
  (void)taken.take();
  [[maybe_unused]] const tg::TaskHandle<int> none;

  tg::ThreadGroup checks("checks");
  checks.register_function(
      "twice", [](int x) { return 2 * x; }, 21);
  checks.register_function(
      "root", [](int) -> int { throw std::domain_error("below zero"); }, -1);
  checks.register_function("say", [] {});
  [[maybe_unused]] const tg::ResultList results = checks.execute_results();

  tg::ThreadGroup search("search", {.daemon = true});
  std::latch searching(1);
  [[maybe_unused]] auto stopped = search.add_task([&searching] {
    searching.count_down();
    (void)tg::thread_utils::event_aware_sleep(1h);
    if (const auto reason = tg::thread_utils::reason()) throw OwnStop(*reason);
    return 1;
  });
  searching.wait();
  search.set_event("found\nit");
  search.join();
  [[maybe_unused]] auto skipped = search.add_task(tg::TaskName{"late"}, [] { return 1; });
  [[maybe_unused]] const tg::Reason why = *search.reason();
  [[maybe_unused]] const auto snapshot = tg::ThreadEventsController::instance().snapshot();

  const tg::Key<int> port{"port"};
  const tg::Key<Point> place{"place"};
  const tg::Key<int> unset{"unset"};
  tg::Vault vault("state", tg::KeyList{port, place, unset});
  vault.insert(port, 80);
  vault.insert(place, Point{3, 4});

  try {
    const tg::StopScope scope(1ms, "gauges");
    tg::abandonable(tg::TaskName("driver"), [] { std::latch(1).wait(); });
  } catch (const tg::Stopped&) {
  }

  auto import = nightly.add_task(tg::TaskName{"import"}, import_users);
  nightly.post([import] { import.get(); });
  // Afterwards this flow has a grant, and its next group is fresh.
  for (int i = 0; i < 20; ++i) const tg::ThreadGroup brief("brief");
  tg::ThreadGroup nested("nested", {.max_concurrent_threads = 1});
  // The task runs the other one itself: both are on one stack.
  nested.post([&nested] { nested.add_task(tg::TaskName{"child"}, child).get(); });
  [[maybe_unused]] auto pending = nested.add_task([] { return 1; });
  const tg::StopScope unnamed(1h);
  const tg::Shield shield(1h, "roll back");
  tg::Channel<Point> points(2);
  for (int i = 1; i <= 3; ++i) {
    if (i == 3) (void)points.receive();
    (void)points.try_send(Point{i, 2 * i});
  }
  points.close();
  [[maybe_unused]] const tg::Channel<int> meeting(0);
  [[maybe_unused]] const tg::Mutex unlocked;
  tg::Mutex locked;
  const std::scoped_lock lock(locked);
  tg::Semaphore permits(3);
  (void)permits.try_acquire();
  began.count_down();
  began.wait();
  // When the tasks above wait for one another, gdb can only find out by looking several times.
  for (int i = 0; i < 10'000; ++i) {
    look();
    std::this_thread::yield();
  }
  nightly.set_event();
  nested.set_event();
}
