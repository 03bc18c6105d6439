// SPDX-License-Identifier: Apache-2.0
// Values under sixteen names: inserting, replacing, and reading with one and with several threads.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "../common/main.hpp"

namespace bench {

inline constexpr std::size_t kNames = 16;
inline std::string name_of(std::size_t i) {
  std::string name = "a key of the vault, number ";
  return name += std::to_string(i);
}

/// Nanoseconds per call of `once(thread, i)`, over all threads together.
template <class Once>
double ns_per_call(std::size_t threads, std::int64_t calls, Once once) {
  std::latch start(static_cast<std::ptrdiff_t>(threads) + 1);
  std::vector<std::jthread> all;
  for (std::size_t t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      start.arrive_and_wait();
      for (std::int64_t i = 0; i < calls; ++i) once(t, static_cast<std::size_t>(i));
    });
  }
  const Stopwatch watch;  // before any thread may start: short runs are over before this thread runs again
  start.arrive_and_wait();
  all.clear();
  return watch.nanoseconds() / static_cast<double>(calls * static_cast<std::int64_t>(threads));
}

/// `Store` has fill(), replace(i, value), int get_int(i) and std::string get_text(i). The best of several
/// rounds counts, for other work on the machine only ever makes a round slower.
template <class Store>
void measure(const Options& options) {
  const std::int64_t calls = options.get("tasks", 1'000'000);
  const std::int64_t rounds = calls < 1000 ? 1 : 5;
  const auto best = [rounds](auto once) {
    double least = once();
    for (std::int64_t r = 1; r < rounds; ++r) least = std::min(least, once());
    return least;
  };
  report("insert_new_ns", best([&] {
           const std::int64_t stores = calls / 100 + 1;
           double spent = 0;
           for (std::int64_t s = 0; s < stores; ++s) {
             Store store;
             const Stopwatch watch;
             store.fill();
             spent += watch.nanoseconds();
           }
           return spent / static_cast<double>(stores * 2 * static_cast<std::int64_t>(kNames));
         }));
  Store store;
  store.fill();
  std::atomic<std::size_t> sum{0};
  for (const std::size_t threads : {std::size_t{1}, std::size_t{4}}) {
    std::string suffix("_");
    suffix += std::to_string(threads) + (threads == 1 ? "_thread_ns" : "_threads_ns");
    const std::int64_t each = calls / static_cast<std::int64_t>(threads);
    report(("replace" + suffix).c_str(), best([&] {
             return ns_per_call(threads, each, [&](std::size_t t, std::size_t i) {
               store.replace((t + i) % kNames, static_cast<int>(i));
             });
           }));
    report(("get_int" + suffix).c_str(), best([&] {
             return ns_per_call(threads, each, [&](std::size_t t, std::size_t i) {
               if (store.get_int((t * 5 + i) % kNames) == -1) ++sum;
             });
           }));
    report(("get_one_int" + suffix).c_str(), best([&] {
             return ns_per_call(threads, each, [&](std::size_t, std::size_t) {
               if (store.get_int(3) == -1) ++sum;
             });
           }));
    report(("get_text" + suffix).c_str(), best([&] {
             return ns_per_call(threads, each, [&](std::size_t t, std::size_t i) {
               // In an order of its own. A reader that pins a value writes to its cell, and threads in the same order, once they
               // have met at a cell, go on in step and meet at each one.
               if (store.get_text((t * 5 + i * (2 * t + 1)) % kNames).empty()) ++sum;
             });
           }));
  }
}

}  // namespace bench
