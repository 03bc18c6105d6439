// SPDX-License-Identifier: Apache-2.0
// Locks, semaphores and bounded queues: the time of a lock and unlock, of an acquire and release, of an item.
#pragma once

#include <algorithm>
#include <latch>
#include <thread>
#include <vector>

#include "../common/main.hpp"

namespace bench {

/// Runs `body(t)` for each t below `threads`, each on a thread of its own, and waits for all.
struct StdThreads {
  template <class Body>
  static void run(std::size_t threads, Body body) {
    std::vector<std::jthread> all;
    for (std::size_t t = 0; t < threads; ++t) all.emplace_back([&body, t] { body(t); });
  }
};

/// Nanoseconds per call if the threads make `calls` together, `body(t)` the part of one: the median of several
/// rounds. No body runs on the main thread: the C library's locks are cheaper in a process of one thread.
template <class Threads, class Body>
double ns_per_call(const Options& options, std::size_t threads, std::int64_t calls, Body body) {
  std::vector<double> rounds(static_cast<std::size_t>(options.get("repeats", 3)));
  for (double& round : rounds) {
    std::latch all_are_there(static_cast<std::ptrdiff_t>(threads));
    Stopwatch watch;
    std::vector<double> ends(threads);
    Threads::run(threads, [&](std::size_t t) {
      if (t == 0) watch = Stopwatch();  // before it arrives, so before any of them begins
      all_are_there.arrive_and_wait();
      body(t);
      ends[t] = watch.nanoseconds();
    });
    round = *std::max_element(ends.begin(), ends.end()) / static_cast<double>(calls);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[rounds.size() / 2];
}

/// `Mutex` has lock() and unlock().
template <class Threads, class Mutex>
void measure_mutex(const Options& options) {
  const std::int64_t each = options.get("tasks", 1'000'000);
  const auto measure = [&](std::size_t threads) {
    Mutex mutex;
    std::int64_t locked = 0;
    const std::int64_t calls = each * static_cast<std::int64_t>(threads);
    const double ns = ns_per_call<Threads>(options, threads, calls, [&](std::size_t) {
      for (std::int64_t i = 0; i < each; ++i) {
        mutex.lock();
        ++locked;
        mutex.unlock();
      }
    });
    if (locked != calls * options.get("repeats", 3)) std::abort();
    return ns;
  };
  report("mutex_ns", measure(1));
  report("mutex_4_threads_ns", measure(4));
}

/// `Semaphore` is made with a number of permits, and has acquire() and release().
template <class Threads, class Semaphore>
void measure_semaphore(const Options& options) {
  const std::int64_t calls = options.get("tasks", 1'000'000);
  Semaphore semaphore(4);
  report("semaphore_ns", ns_per_call<Threads>(options, 1, calls, [&](std::size_t) {
           for (std::int64_t i = 0; i < calls; ++i) {
             semaphore.acquire();
             semaphore.release();
           }
         }));
}

/// `Queue` has room for 64 numbers; send(number) waits for room, and receive() for a number, which it returns.
template <class Threads, class Queue>
void measure_queue(const Options& options) {
  const auto measure = [&](std::size_t senders) {
    const std::int64_t each = options.get("tasks", 1'000'000) / 10 / static_cast<std::int64_t>(senders);
    const std::int64_t items = each * static_cast<std::int64_t>(senders);
    Queue queue;
    return ns_per_call<Threads>(options, 2 * senders, items, [&](std::size_t t) {
      if (t < senders) {
        for (std::int64_t i = 0; i < each; ++i) queue.send(i);
      } else {
        std::int64_t sum = 0;
        for (std::int64_t i = 0; i < each; ++i) sum += queue.receive();
        if (senders == 1 && sum != each * (each - 1) / 2) std::abort();
      }
    });
  };
  report("queue_1_to_1_ns", measure(1));
  report("queue_4_to_4_ns", measure(4));
}

}  // namespace bench
