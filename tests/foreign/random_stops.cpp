// SPDX-License-Identifier: Apache-2.0
// Stops tasks one by one, and measures their ends.
#include "foreign/random_stops.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <map>
#include <random>
#include <semaphore>
#include <set>
#include <sstream>
#include <system_error>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "support/eventually.hpp"

namespace tg::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Stop {
  double milliseconds;  // until its task had ended
  std::string in;       // the phase in which it came
  auto operator<=>(const Stop&) const = default;
};
struct Slot {
  Phase phase{"nothing"};
  const char* stopped_in = nullptr;
  Clock::time_point stopped;
  Clock::time_point ended;  // written by the task, read after the join
};

void use_until_stopped(const Use& use, unsigned seed, std::latch& begun, Slot& slot) {
  std::minstd_rand random(seed);
  begun.count_down();
  try {
    for (;;) {
      use(static_cast<unsigned>(random()), slot.phase);
      thread_utils::throw_if_event_set();
    }
  } catch (...) {
    slot.ended = Clock::now();
    throw;
  }
}

void stop_a_few(std::minstd_rand& random, std::chrono::microseconds longest, const Use& use,
                std::size_t count, std::vector<Stop>& stops) {
  std::vector<Slot> slots(count);
  std::vector<Clock::duration> after(count);
  std::latch begun(static_cast<std::ptrdiff_t>(count));
  for (auto& time : after)
    time = std::chrono::microseconds(static_cast<std::int64_t>(random()) % longest.count());
  std::sort(after.begin(), after.end());

  ThreadGroup group("users of a library", {.max_concurrent_threads = count});
  std::vector<TaskHandle<void>> tasks;
  for (Slot& slot : slots) {
    tasks.push_back(group.add_task(TaskOptions{.own_event = true}, use_until_stopped, std::cref(use),
                                   static_cast<unsigned>(random()), std::ref(begun), std::ref(slot)));
  }
  begun.wait();
  std::binary_semaphore never(0);
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    static_cast<void>(never.try_acquire_until(begin + after[i]));
    slots[i].stopped_in = slots[i].phase;
    slots[i].stopped = Clock::now();
    EXPECT_TRUE(tasks[i].set_event("a random moment"));
  }
  const JoinResult joined = group.wait_idle(std::chrono::seconds(50));
  for (const Failure& failure : joined.failures) ADD_FAILURE() << describe_failure(failure);
  if (!joined) {
    for (const Slot& slot : slots) std::printf("in %s\n", slot.phase.load());
    std::printf("not ended: %s\n", joined.str().c_str());
    std::abort();  // the tasks use what is on this stack
  }
  EXPECT_EQ(joined.counts.stopped, count) << joined.str();
  for (const Slot& slot : slots) {
    const std::chrono::duration<double, std::milli> time = slot.ended - slot.stopped;
    stops.push_back({time.count(), slot.stopped_in});
  }
}

// 200 times, under AddressSanitizer 1,000 times, or as TG_FOREIGN_STOPS says.
int stops_wanted() {
  if (const char* const text = std::getenv("TG_FOREIGN_STOPS")) return std::atoi(text);
  return TG_ADDRESS_SANITIZER ? 1'000 : 200;
}

// In the order of their times.
const Stop& median(const std::vector<Stop>& stops) { return stops[stops.size() / 2]; }
const Stop& all_but_a_percent(const std::vector<Stop>& stops) { return stops[stops.size() * 99 / 100]; }

std::string text_of(const std::string& library, const std::vector<Stop>& stops) {
  std::ostringstream text;
  text.precision(2);
  text << std::fixed << library << ": " << stops.size() << " stops, median " << median(stops).milliseconds
       << " ms, 99 % " << all_but_a_percent(stops).milliseconds << " ms, maximum "
       << stops.back().milliseconds << " ms (" << stops.back().in << "); in";
  std::map<std::string, int> counts;
  for (const Stop& stop : stops) ++counts[stop.in];
  for (const auto& [phase, count] : counts) text << ' ' << phase << ": " << count << ';';
  std::array<double, 1> load{};
  if (::getloadavg(load.data(), 1) == 1) text << " load " << load[0];
  return text.str();
}

}  // namespace

std::set<std::string> NoDescriptorIsLeft::open() {
  std::set<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    all.insert(entry.path().filename().string() + " " +
               std::filesystem::read_symlink(entry.path(), ignored).string());
  }
  return all;
}

NoDescriptorIsLeft::~NoDescriptorIsLeft() {
  // A server in this process closes its side of a connection a little later.
  for (int tries = 0; tries < 5'000 && open().size() > before_.size(); ++tries)
    leave_time(std::chrono::milliseconds(1));
  const auto after = open();
  EXPECT_EQ(after.size(), before_.size())
      << ::testing::PrintToString(before_) << " and " << ::testing::PrintToString(after);
}

void stop_at_random(const std::string& library, std::chrono::microseconds longest, const Use& use,
                    std::size_t tasks) {
  std::minstd_rand random(18);
  std::vector<Stop> stops;
  while (stops.size() < static_cast<std::size_t>(stops_wanted()))
    stop_a_few(random, longest, use, tasks, stops);
  std::sort(stops.begin(), stops.end());
  std::printf("%s\n", text_of(library, stops).c_str());
  // The limits allow for a busy machine. On an idle one all stops are below the first.
  EXPECT_LE(median(stops).milliseconds, 100.0);
  EXPECT_LE(all_but_a_percent(stops).milliseconds, 1'000.0) << all_but_a_percent(stops).in;
  EXPECT_LE(stops.back().milliseconds, 10'000.0) << stops.back().in;
}

}  // namespace tg::test
